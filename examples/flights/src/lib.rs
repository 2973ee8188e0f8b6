//! Real data: the airports of the United States and the routes flown between them in 2008.
//!
//! `load.sh` fills the tables. `records` reads CSV in pieces, `rules` says which rows are good, `load` stores them;
//! `models` is what is kept, `routes` the queries, `pages`, `api` and `views` what visitors see.

mod api;
mod load;
mod models;
mod pages;
mod records;
mod routes;
mod rules;
mod views;

use models::{Airport, Route};

covet::plugin! {
    models: [Airport, Route],
    routes: [
        pages::home, pages::airport, pages::search, pages::style,
        api::airports, api::airport, api::routes_of, api::busiest,
        load::airports, load::routes,
    ],
}
