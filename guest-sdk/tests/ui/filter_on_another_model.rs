use covet::prelude::*;

#[derive(Model)]
struct Author {
    id: Id<Author>,
    name: String,
}

#[derive(Model)]
struct Post {
    id: Id<Post>,
    title: String,
    author: ForeignKey<Author>,
    published: bool,
    views: i64,
    note: Option<String>,
    created_at: DateTime<Utc>,
}

async fn posts() -> Result<Vec<Post>> {
    Post::objects().filter(Author::name().eq("Ada")).all().await
}

fn main() {
    let _ = Post::views().gt(1) & Author::name().eq("Ada");
    let _ = posts();
}
