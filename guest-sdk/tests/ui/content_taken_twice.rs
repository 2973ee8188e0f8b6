use covet::prelude::*;

#[post("/posts")]
async fn create(text: String, Json(numbers): Json<Vec<i64>>) -> String {
    format!("{text} {numbers:?}")
}

fn main() {}
