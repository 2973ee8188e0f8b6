use covet::prelude::*;

#[derive(Model)]
struct Post {
    #[field(primary_key)]
    score: f64,
}

fn main() {}
