//! The smallest plugin that works. `covet dev` in this folder serves it; change a line and reload the page.

use covet::prelude::*;

#[get("/")]
async fn index() -> &'static str {
    "Hello, World!"
}

#[get("/hello/{name}")]
async fn hello(name: String) -> String {
    format!("Hello, {name}!")
}

covet::plugin! { routes: [index, hello] }
