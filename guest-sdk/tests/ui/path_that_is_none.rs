use covet::prelude::*;

#[get("posts")]
async fn a() {}

#[get("/posts/:id")]
async fn b() {}

#[get("/posts/post-{id}")]
async fn c() {}

#[get("/{*rest}/edit")]
async fn d(_rest: String) {}

#[get]
async fn e() {}

fn main() {}
