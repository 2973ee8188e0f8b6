//! What must hold on every database: written once, run on each (`sqlite.rs`, `postgres.rs`, `mariadb.rs` beside this folder).

mod deletions;
mod extremes;
mod lookups;
mod prefetch;
mod queries;
mod reverse;
mod rules;
mod writes;
