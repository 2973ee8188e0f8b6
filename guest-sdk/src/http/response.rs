//! Responses, and everything that can become one.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use super::Body;
use super::body::Task;
use crate::bindings::covet::http::types as wit;
use crate::wire::{Array, put};
use crate::{Error, log};

/// A response, built by hand where a plain value does not say enough.
///
/// ```
/// use covet::prelude::*;
///
/// #[get("/logo.svg")]
/// async fn logo() -> Response {
///     Response::new("<svg/>").header("content-type", "image/svg+xml").header("cache-control", "max-age=3600")
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Response {
    status: StatusCode,
    headers: Array,
    body: Body,
}

impl Response {
    /// 200 with this content, and no `content-type`.
    pub fn new(body: impl Into<Body>) -> Self {
        Response { status: StatusCode::OK, headers: Array::new(), body: body.into() }
    }

    /// No content.
    pub fn empty(status: StatusCode) -> Self {
        Response { status, headers: Array::new(), body: Body::empty() }
    }

    #[inline]
    pub(crate) fn typed(content_type: &'static str, body: Vec<u8>) -> Self {
        Response::new(body).header("content-type", content_type)
    }

    /// With this status.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With this header besides those it has; the name in lower case. The host owns `connection`, `content-length`,
    /// `transfer-encoding`, `keep-alive`, `upgrade` and `date`.
    #[inline]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let out = self.headers.item();
        let _ = put(out).array(2).and_then(|e| e.str(name)).and_then(|e| e.bytes(value.as_ref()));
        self
    }

    /// The status it has.
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Its headers.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let bytes = self.headers.clone().finish();
        let mut d = minicbor::Decoder::new(&bytes);
        let count = crate::wire::array(&mut d).unwrap_or(0);
        (0..count)
            .map_while(|_| {
                crate::wire::array(&mut d).ok()?;
                Some((d.str().ok()?.to_owned(), d.bytes().ok()?.to_vec()))
            })
            .collect()
    }

    /// Its content, for tests of handlers.
    pub fn into_body(self) -> Body {
        self.body
    }

    #[inline]
    pub(crate) fn into_wire(self) -> (wit::Response, Option<Task>) {
        let (body, rest) = self.body.into_wire();
        let headers = if self.headers.is_empty() { Vec::new() } else { self.headers.finish() };
        (wit::Response { status: self.status.as_u16(), headers, body }, rest)
    }
}

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler's answer",
    label = "not a response",
    note = "return one of: &str, String, Html<T>, Json<T>, Redirect, StatusCode, (StatusCode, T), Body, Sse, Response, (), Option<T>, or Result<T, E> where covet::Error: From<E>",
    note = "a struct becomes JSON as `Json(value)`"
)]
pub trait IntoResponse {
    /// The response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    #[inline]
    fn into_response(self) -> Response {
        self
    }
}
/// 204.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::empty(StatusCode::NO_CONTENT)
    }
}
impl IntoResponse for &str {
    #[inline]
    fn into_response(self) -> Response {
        Response::typed("text/plain; charset=utf-8", self.as_bytes().to_vec())
    }
}
impl IntoResponse for String {
    #[inline]
    fn into_response(self) -> Response {
        Response::typed("text/plain; charset=utf-8", self.into_bytes())
    }
}
impl IntoResponse for Cow<'_, str> {
    fn into_response(self) -> Response {
        self.into_owned().into_response()
    }
}
impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::typed("application/octet-stream", self)
    }
}
impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::typed("application/octet-stream", self.into())
    }
}
impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::new(self).header("content-type", "application/octet-stream")
    }
}
/// The status alone.
impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::empty(self)
    }
}
impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().status(self.0)
    }
}
/// With headers besides those of `T`.
impl<T: IntoResponse, const N: usize> IntoResponse for ([(&str, &str); N], T) {
    fn into_response(self) -> Response {
        self.0.iter().fold(self.1.into_response(), |response, (name, value)| response.header(name, value))
    }
}
/// With a status, and headers besides those of `T`.
impl<T: IntoResponse, const N: usize> IntoResponse for (StatusCode, [(&str, &str); N], T) {
    fn into_response(self) -> Response {
        (self.1, self.2).into_response().status(self.0)
    }
}
/// 404 for `None`.
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        match self {
            Some(value) => value.into_response(),
            None => Error::NotFound("this page".into()).into_response(),
        }
    }
}
impl<T: IntoResponse, E: Into<Error>> IntoResponse for Result<T, E> {
    #[inline]
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into().into_response(),
        }
    }
}

/// `{"error":{"code","message"}}`, with `field` where one is at fault. What the client must not read goes to the log.
impl IntoResponse for Error {
    #[cold]
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() || matches!(self, Error::Denied(_)) {
            log::write(log::Level::Error, "covet::error", &format!("{}: {self}", self.code()));
        }
        let message = self.public_message();
        // The codes of the public cases are public; an internal one has no more to say than that it is.
        let code = if message.is_some() { self.code() } else { "internal" };
        let mut error = serde_json::Map::new();
        error.insert("code".into(), code.into());
        error.insert("message".into(), message.unwrap_or_else(|| "internal error".into()).into());
        if let Some(field) = self.field() {
            error.insert("field".into(), field.into());
        }
        let body = serde_json::json!({ "error": error }).to_string();
        let response = Response::typed("application/json", body.into_bytes()).status(status);
        match self {
            Error::PoolExhausted | Error::Unavailable(_) => response.header("retry-after", "1"),
            _ => response,
        }
    }
}

/// Text that is HTML.
#[derive(Debug, Clone)]
pub struct Html<T>(pub T);

impl<T: Into<String>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        Response::typed("text/html; charset=utf-8", self.0.into().into_bytes())
    }
}

/// Sends the client elsewhere.
#[derive(Debug, Clone)]
#[must_use]
pub struct Redirect {
    status: StatusCode,
    location: String,
}

impl Redirect {
    /// 303: fetch that with GET. What to answer to a form.
    pub fn to(location: impl Into<String>) -> Self {
        Redirect { status: StatusCode::SEE_OTHER, location: location.into() }
    }

    /// 307: do the same there, this time.
    pub fn temporary(location: impl Into<String>) -> Self {
        Redirect { status: StatusCode::TEMPORARY_REDIRECT, location: location.into() }
    }

    /// 308: do the same there, from now on. Browsers remember it.
    pub fn permanent(location: impl Into<String>) -> Self {
        Redirect { status: StatusCode::PERMANENT_REDIRECT, location: location.into() }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        Response::empty(self.status).header("location", self.location)
    }
}
