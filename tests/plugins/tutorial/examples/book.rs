//! Every Rust block of the book's pages and of README.md compiles.
#![allow(dead_code, unused_variables, unused_imports, reason = "a snippet shows one thing and leaves the rest out")]

include!(concat!(env!("OUT_DIR"), "/book.rs"));
