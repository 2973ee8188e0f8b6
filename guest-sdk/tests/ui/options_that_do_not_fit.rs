use covet::prelude::*;

#[derive(Model)]
struct Post {
    id: Id<Post>,
    #[field(max_length = 10)]
    views: i64,
    #[field(auto_now)]
    title: String,
}

fn main() {
    let _ = Post::objects();
}
