//! A blog: HTML pages, a JSON API, comments, tags and search.
//!
//! Read `models` for what it keeps, `posts` for its queries, then `pages` and `api` for its routes. `views` is the HTML.

mod api;
mod models;
mod pages;
mod posts;
mod seed;
mod views;

use models::{Author, Comment, Post, PostTag, Tag};

covet::plugin! {
    models: [Author, Post, Tag, PostTag, Comment],
    routes: [
        pages::home, pages::tag, pages::author, pages::search, pages::post, pages::comment, pages::like, pages::style,
        api::list, api::read, api::create, api::put, api::patch, api::delete, api::publish,
    ],
}
