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

fn main() {
    let _ = Post::objects().order_by(Author::name());
}
