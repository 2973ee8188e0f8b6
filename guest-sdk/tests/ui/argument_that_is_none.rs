use covet::prelude::*;

struct User;

#[get("/me")]
async fn me(user: User) -> String {
    let _ = user;
    String::new()
}

#[get("/posts/{id}")]
async fn show(id: User) -> String {
    let _ = id;
    String::new()
}

#[post("/posts")]
async fn borrow(text: &str) -> String {
    text.into()
}

fn main() {}
