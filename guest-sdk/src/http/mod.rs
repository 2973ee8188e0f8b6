//! Requests in, responses out.

mod body;
mod extract;
mod fields;
mod json;
mod request;
mod response;
mod sse;

pub use self::body::{Body, BodyStream, BodyWriter, Closed};
pub use self::extract::{Form, FromParam, FromRequest, Headers, Path, Query};
pub use self::json::Json;
pub use self::request::Request;
pub use self::response::{Html, IntoResponse, Redirect, Response};
pub use self::sse::{Event, Sse};
pub use http::{Method, StatusCode};
