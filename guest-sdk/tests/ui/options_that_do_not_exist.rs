use covet::prelude::*;

#[derive(Model)]
#[model(tabel = "posts")]
struct Post {
    id: Id<Post>,
}

#[derive(Model)]
struct Comment {
    id: Id<Comment>,
    #[field(maxlength = 10)]
    text: String,
}

#[derive(Model)]
#[model(index(titel))]
struct Page {
    id: Id<Page>,
    title: String,
}

#[derive(Model)]
struct Tag {
    id: Id<Tag>,
    get: String,
}

fn main() {}
