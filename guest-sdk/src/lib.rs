//! Write HTTP handlers and models for the Covet edge runtime.
//!
//! A plugin is a library crate of type `cdylib`. Its handlers are plain `async` functions; its models are structs; one
//! line at the end tells which of them the host is to know:
//!
//! ```
//! use covet::prelude::*;
//!
//! #[derive(Model)]
//! #[model(ordering = "-views", index(published, views))]
//! pub struct Post {
//!     pub id: Id<Post>,
//!     #[field(max_length = 200)]
//!     pub title: String,
//!     pub published: bool,
//!     pub views: i64,
//! }
//!
//! #[get("/posts/popular")]
//! async fn popular() -> Result<Json<Vec<Post>>> {
//!     let posts = Post::objects().filter(Post::published()).limit(10).all().await?;
//!     Ok(Json(posts))
//! }
//!
//! #[get("/posts/{id}")]
//! async fn show(id: Id<Post>) -> Result<Json<Post>> {
//!     Post::objects().filter(Post::id().eq(id)).update(Post::views().add(1)).await?;
//!     Ok(Json(Post::get(id).await?))
//! }
//!
//! covet::plugin! { models: [Post], routes: [popular, show] }
//! ```
//!
//! Start with [`prelude`], [`Model`] and [`QuerySet`](query::QuerySet); [`FromRequest`](http::FromRequest) lists what a
//! handler may have as arguments and [`IntoResponse`](http::IntoResponse) what it may return.
//!
//! Natively the crate compiles, so that editors and `cargo test` work; what crosses to the host (queries, cache,
//! configuration, log) panics outside of it.

// Generated code names this crate `::covet`; so that it also works inside.
extern crate self as covet;

pub mod bindings;
pub mod cache;
pub mod config;
mod error;
pub mod http;
pub mod log;
pub mod model;
pub mod plugin;
pub mod prelude;
pub mod query;
mod time;
mod wire;

pub use ::bytes;
pub use ::chrono;
pub use ::futures;
pub use ::serde;
pub use ::serde_json;
pub use ::uuid;

pub use bigdecimal::BigDecimal as Decimal;
pub use chrono::{DateTime, NaiveDate as Date, NaiveTime as Time, TimeDelta as Duration, Utc};
pub use covet_macros::{Choices, Model, delete, get, head, options, patch, plugin, post, put};
pub use futures::{join, try_join};
pub use uuid::Uuid;

pub use self::error::{Error, Rejection, Result};
pub use self::http::Json;
pub use self::model::money;
pub use self::model::{Binary, Email, ForeignKey, Id, ManyToMany, Model, OneToOne, Related, Slug, Url};
pub use self::query::{Transaction, transaction};
pub use self::time::{days, hours, millis, minutes, seconds};

/// What the macros of this crate write into plugins. No part of the API.
#[doc(hidden)]
pub mod __private {
    pub use minicbor::Decoder;
    pub use serde;

    pub use crate::bindings::covet::orm::schema::Condition;
    pub use crate::model::meta::{CheckMeta, FieldMeta, IndexColumn, IndexMeta, LinkMeta, ModelMeta, OnDelete};
    pub use crate::model::{AsJson, refused};
    pub use crate::query::condition;
    pub use crate::wire::DecodeError;

    /// A `#[field(default = …)]` as one CBOR item.
    pub fn default<T: crate::model::Field>(value: impl crate::query::SetValue<T>) -> Vec<u8> {
        crate::query::encode_default(value)
    }

    /// The key of `on_delete = set(…)` as one CBOR item.
    pub fn key_of<R: crate::model::Relation>(key: impl Into<<R::Target as crate::Model>::Key>) -> Vec<u8> {
        let mut out = Vec::new();
        crate::model::Field::encode(&key.into(), &mut out);
        out
    }

    /// Names the value of a `#[field(default = …)]` by the type of its field.
    pub trait IntoField<T> {
        /// The value.
        fn into_field(self) -> T;
    }
    impl<T> IntoField<T> for T {
        fn into_field(self) -> T {
            self
        }
    }
    impl IntoField<String> for &str {
        fn into_field(self) -> String {
            self.into()
        }
    }
    impl<T: crate::model::Scalar> IntoField<Option<T>> for T {
        fn into_field(self) -> Option<T> {
            Some(self)
        }
    }

    /// The moment of a save.
    pub fn now() -> crate::DateTime<crate::Utc> {
        crate::model::field::now()
    }

    /// What `max_length` and `min_length` measure.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` has no length",
        label = "max_length and min_length belong to String, Slug and Vec fields"
    )]
    pub trait Length {
        /// What is counted.
        const UNIT: &'static str;
        /// More than so many?
        fn exceeds(&self, limit: usize) -> bool;
    }
    impl Length for String {
        const UNIT: &'static str = "characters";
        fn exceeds(&self, limit: usize) -> bool {
            // Bytes bound characters: they are counted only when those do not settle it.
            self.len() > limit && self.chars().nth(limit).is_some()
        }
    }
    impl Length for crate::Slug {
        const UNIT: &'static str = "characters";
        fn exceeds(&self, limit: usize) -> bool {
            self.len() > limit
        }
    }
    impl<T: crate::model::Element> Length for Vec<T> {
        const UNIT: &'static str = "elements";
        fn exceeds(&self, limit: usize) -> bool {
            self.len() > limit
        }
    }

    /// Why a value is too short, if it is.
    pub fn too_short<T: Length>(value: &T, least: usize) -> Option<String> {
        (least > 0 && !value.exceeds(least - 1)).then(|| format!("must have at least {least} {}", T::UNIT))
    }

    /// Why a value is too long, if it is.
    pub fn too_long<T: Length>(value: &T, most: usize) -> Option<String> {
        value.exceeds(most).then(|| format!("must have at most {most} {}", T::UNIT))
    }

    /// A text as one CBOR item.
    pub fn text(text: &str, out: &mut Vec<u8>) {
        let _ = crate::wire::put(out).str(text);
    }

    /// A field of `#[derive(Choices)]`, written once.
    pub fn choice<T: Copy>(d: &mut Decoder<'_>, choices: &[(T, &str)]) -> Result<T, DecodeError> {
        let text = d.str()?;
        match choices.iter().find(|(_, name)| *name == text) {
            Some((value, _)) => Ok(*value),
            None => Err(DecodeError::message(format!("{text:?} is not a choice"))),
        }
    }
}
