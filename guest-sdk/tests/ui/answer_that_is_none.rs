use covet::prelude::*;

#[derive(Serialize)]
struct Point {
    x: i64,
}

#[get("/point")]
async fn point() -> Point {
    Point { x: 1 }
}

fn main() {}
