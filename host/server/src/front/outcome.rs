//! From what a plugin answered, or failed to answer, to what the client gets.

use bytes::Bytes;
use covet_runtime::{HandleError, Method, ResponseBody};
use http::{HeaderName, HeaderValue, StatusCode, Version, header};
use hyper::Response;

use crate::{
    http::{answers, body::Body, content::ContentError},
    published::Live,
    router::Methods,
};

pub(super) fn not_found() -> Response<Body> {
    answers::error(StatusCode::NOT_FOUND, "not-found", "no plugin serves this path")
}

/// OPTIONS, or a method that the path is not served with.
pub(super) fn other_methods(method: Method, methods: &Methods) -> Response<Body> {
    let mut response = if method == Method::Options {
        answers::no_content()
    } else {
        let allow = methods.allow.to_str().unwrap_or_default();
        let message = format!("this path is not served with {method}; it is with {allow}");
        answers::error(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", &message)
    };
    response.headers_mut().insert(header::ALLOW, methods.allow.clone());
    response
}

pub(super) fn no_content_came(error: ContentError) -> Response<Body> {
    match error {
        ContentError::TooLarge(limit) => answers::last_error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            &format!("the request's content is past the limit of {limit} bytes"),
        ),
        ContentError::Slow => answers::last_error(
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            "the request's content did not arrive in time",
        ),
        ContentError::Broken(why) => {
            answers::last_error(StatusCode::BAD_REQUEST, "body-broken", &format!("the request's content broke off: {why}"))
        }
    }
}

/// A plugin's answer as HTTP. What it may not decide is left out; what is no HTTP is a 500.
pub(super) fn answer(
    answer: covet_runtime::Response,
    method: Method,
    version: Version,
    live: &Live,
    expose: bool,
) -> Response<Body> {
    let bad = |why: String| {
        tracing::warn!(plugin = live.name, generation = live.record.generation, "{why}");
        failure(&HandleError::BadResponse(why), method, expose)
    };
    let Ok(status) = StatusCode::from_u16(answer.status) else {
        return bad(format!("its status is {}, it must be 200 to 599", answer.status));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in answer.headers.shared() {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            return bad(format!("\"{}\" is not a header's name", name.escape_debug()));
        };
        if is_the_hosts(&name) {
            continue;
        }
        let Ok(value) = HeaderValue::from_maybe_shared(value) else {
            return bad(format!("the value of its header {name} holds bytes that no header may"));
        };
        headers.append(name, value);
    }
    // RFC 9110 §15.3.5, §15.3.6, §15.4.5: these have no content.
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    match answer.body {
        _ if bodiless => {}
        ResponseBody::Empty => {}
        ResponseBody::Bytes(bytes) if method == Method::Head => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        ResponseBody::Bytes(bytes) => *response.body_mut() = Body::whole(bytes),
        ResponseBody::Stream(_) if method == Method::Head => {}
        ResponseBody::Stream(stream) => {
            // HTTP/1.0 knows no chunks: the end of the connection is the end of the content.
            if version == Version::HTTP_10 {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            *response.body_mut() = Body::plugin(stream);
        }
    }
    response
}

/// Headers that only the host can know.
fn is_the_hosts(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::DATE,
        header::TRAILER,
        header::TE,
    ]
    .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// A request that its plugin did not answer. The plugin's log has the details already.
pub(super) fn failure(error: &HandleError, method: Method, expose: bool) -> Response<Body> {
    let (status, code, message) = match error {
        HandleError::Trap { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "trap", "the plugin failed"),
        HandleError::Memory { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "out-of-memory", "the plugin failed"),
        HandleError::BadResponse(_) => (StatusCode::INTERNAL_SERVER_ERROR, "bad-response", "the plugin failed"),
        HandleError::Deadline { .. } => (StatusCode::GATEWAY_TIMEOUT, "deadline", "the plugin did not answer in time"),
        HandleError::Cpu { .. } => (StatusCode::GATEWAY_TIMEOUT, "cpu", "the plugin did not answer in time"),
        HandleError::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "too many requests at once"),
        HandleError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the plugin cannot serve now"),
        HandleError::BodyTooLarge { limit } => return no_content_came(ContentError::TooLarge(*limit)),
        HandleError::BodyBroken(why) => return no_content_came(ContentError::Broken(why.clone())),
    };
    let mut response = if expose {
        let mut message = error.to_string();
        if let HandleError::Trap { backtrace, .. } = error {
            for frame in backtrace {
                message.push_str("\n  ");
                message.push_str(frame);
            }
        }
        answers::error(status, code, &message)
    } else {
        answers::error(status, code, message)
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = match error {
            HandleError::Overloaded { retry_after } => retry_after.as_millis().div_ceil(1_000).max(1),
            _ => 1,
        };
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if method == Method::Head {
        strip(&mut response);
    }
    response
}

/// Leaves the head as it would be for GET.
pub(super) fn strip(response: &mut Response<Body>) {
    if let Some(length) = response.body().len() {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Body::whole(Bytes::new());
}
