//! `use covet::prelude::*;`: what nearly every plugin needs.

pub use crate::http::{
    Body, BodyStream, Event, Form, FromRequest, Headers, Html, IntoResponse, Json, Method, Path, Query, Redirect,
    Request, Response, Sse, StatusCode,
};
pub use crate::model::{Binary, Email, ForeignKey, Hooks, Id, ManyToMany, OneToOne, Related, Slug, Url};
pub use crate::query::{Column, Expr, Partial, QuerySet, Transaction, transaction};
pub use crate::{
    Choices, Date, DateTime, Decimal, Duration, Error, Model, Result, Time, Utc, Uuid, cache, config, days, delete,
    get, head, hours, join, log, millis, minutes, options, patch, post, put, seconds, try_join,
};
pub use bytes::Bytes;
pub use serde::{Deserialize, Serialize};
