//! Handlers stay plain functions, and what the attributes make of them answers as it says.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use covet::futures::executor::block_on;
use covet::http::IntoResponse;
use covet::plugin::{Handler, Method};
use covet::prelude::*;

#[get("/posts/{id}")]
async fn show(id: i64) -> String {
    format!("post {id}")
}

#[put("/files/{*rest}")]
fn store(rest: String, body: Vec<u8>) -> (StatusCode, String) {
    (StatusCode::CREATED, format!("{rest}: {}", body.len()))
}

#[post("/upload")]
async fn upload(_body: BodyStream) {}

#[test]
fn a_handler_is_still_a_function() {
    assert_eq!(block_on(show(7)), "post 7");
    assert_eq!(store("a/b".into(), vec![0; 3]).1, "a/b: 3");
}

#[test]
fn a_route_says_what_it_answers() {
    let route = <show as Handler>::ROUTE;
    assert_eq!((route.path, route.handler, route.stream_body), ("/posts/{id}", "show", false));
    assert_eq!(route.method, Method::Get);
    let upload = <upload as Handler>::ROUTE;
    assert!(upload.stream_body, "a BodyStream reads as it comes");
    assert_eq!(<store as Handler>::ROUTE.method, Method::Put);
}

fn text(response: Response) -> (u16, String) {
    let status = response.status_code().as_u16();
    (status, String::from_utf8(block_on(response.into_body().collect()).unwrap()).unwrap())
}

#[test]
fn values_become_responses() {
    assert_eq!(text("hi".into_response()), (200, "hi".into()));
    assert_eq!(text(().into_response()), (204, "".into()));
    assert_eq!(text(StatusCode::IM_A_TEAPOT.into_response()), (418, "".into()));
    assert_eq!(text((StatusCode::CREATED, Json(vec![1, 2])).into_response()), (201, "[1,2]".into()));
    assert_eq!(text(Some("x").into_response()).0, 200);
    assert_eq!(text(None::<&str>.into_response()).0, 404);
    let redirect = Redirect::to("/next").into_response();
    assert_eq!(redirect.headers(), [("location".to_string(), b"/next".to_vec())]);
    assert_eq!(redirect.status_code(), StatusCode::SEE_OTHER);
    let with_headers = ([("x-a", "1")], Html("<p>")).into_response();
    assert_eq!(with_headers.headers().len(), 2);
    let stream = Body::stream(covet::futures::stream::iter(["a", "b"]));
    assert_eq!(text(stream.into_response()), (200, "ab".into()));
}

#[test]
fn errors_are_json_and_keep_internals_to_themselves() {
    let (status, body) = text(Error::internal("the password is swordfish").into_response());
    assert_eq!(status, 500);
    assert_eq!(body, r#"{"error":{"code":"internal","message":"internal error"}}"#);
    let (status, body) = text(Error::BadQuery("no column posts.titel".into()).into_response());
    assert_eq!((status, body.contains("titel")), (500, false));
    let (status, body) = text(Error::UniqueViolation("posts.slug".into()).into_response());
    assert_eq!((status, body.contains("posts")), (409, false));
    let (status, body) = text(Error::invalid("title", "is too long").into_response());
    assert_eq!(status, 422);
    assert!(body.contains(r#""field":"title""#), "{body}");
    let (status, _) = text(Error::NotFound("Post".into()).into_response());
    assert_eq!(status, 404);
    assert_eq!(Error::PoolExhausted.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(Error::Timeout.status(), StatusCode::GATEWAY_TIMEOUT);
}

struct OutOfTea;
impl From<OutOfTea> for Error {
    fn from(_: OutOfTea) -> Self {
        Error::new(StatusCode::IM_A_TEAPOT, "tea", "none left")
    }
}

#[test]
fn an_authors_own_error_takes_part() {
    let result: Result<&str, OutOfTea> = Err(OutOfTea);
    assert_eq!(text(result.into_response()).0, 418);
    fn brew() -> Result<()> {
        Err(OutOfTea)?
    }
    assert_eq!(brew().unwrap_err().code(), "tea");
}
