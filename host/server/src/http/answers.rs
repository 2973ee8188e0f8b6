//! The host's own answers: small, with a code that programs can read.

use http::{HeaderValue, StatusCode, header};
use hyper::Response;
use serde_json::json;

use super::body::Body;

/// `{"error":{"code":…,"message":…}}`
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    json(status, &json!({ "error": { "code": code, "message": message } }))
}

/// As [`error`]; the connection closes after it, because what is left of the request is not wanted.
pub(crate) fn last_error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let mut response = error(status, code, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut text = value.to_string();
    text.push('\n');
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 204.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
