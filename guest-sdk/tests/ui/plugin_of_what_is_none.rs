
struct Post;

async fn index() -> &'static str {
    "hello"
}

covet::plugin! { models: [Post], routes: [index] }

fn main() {}
