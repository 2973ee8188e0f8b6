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
    let post: Id<Post> = Id::of(1);
    let _ = Post::author().eq(post);
    let _: ForeignKey<Author> = post.into();
}
