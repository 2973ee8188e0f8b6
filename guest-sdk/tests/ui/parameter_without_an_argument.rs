use covet::prelude::*;

#[get("/posts/{id}")]
async fn show() -> String {
    String::new()
}

#[get("/posts/{year}/{slug}")]
async fn article(Path(slug): Path<(String,)>) -> String {
    slug.0
}

#[get("/posts")]
async fn list(Path(id): Path<i64>) -> String {
    id.to_string()
}

fn main() {}
