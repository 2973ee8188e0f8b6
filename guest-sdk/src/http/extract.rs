//! What a handler may have as arguments.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::fields::{self, Fields};
use super::{BodyStream, Request};
use crate::{Error, Result};

/// A type that a handler may have as an argument. Arguments may stand in any order; one of them may take the content.
///
/// Besides those, an argument that is named like a parameter of the path takes that parameter, as any type that
/// implements [`FromStr`]:
///
/// ```
/// use covet::prelude::*;
///
/// #[get("/posts/{id}/comments/{number}")]
/// async fn comment(id: i64, number: u32, headers: Headers) -> String {
///     format!("comment {number} of post {id} for {}", headers.get("user-agent").unwrap_or("somebody"))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler",
    label = "not an argument that a handler may have",
    note = "write one of: Path<T>, Query<T>, Json<T>, Form<T>, Headers, String, Bytes, Vec<u8>, BodyStream, Request, or Option or Result of these",
    note = "an argument that takes a parameter of the path has the parameter's name: `#[get(\"/posts/{{id}}\")] async fn show(id: i64)`"
)]
#[allow(async_fn_in_trait)] // A guest has one thread.
pub trait FromRequest: Sized {
    /// True when it takes the content.
    const BODY: bool = false;
    /// True when it takes the content as it arrives.
    const STREAM: bool = false;

    /// Takes what it needs out of the request.
    ///
    /// # Errors
    /// An [`Error`] that is the answer.
    async fn from_request(request: &mut Request) -> Result<Self>;
}

impl FromRequest for Request {
    const BODY: bool = true;
    async fn from_request(request: &mut Request) -> Result<Self> {
        let names = request.names();
        Ok(std::mem::replace(request, Request::empty(names)))
    }
}

/// A type that one parameter of the path can be read as: every [`FromStr`] whose error can be shown.
#[diagnostic::on_unimplemented(
    message = "a parameter of the path cannot be read as `{Self}`",
    label = "not a type that is read from text",
    note = "write one of: String, i64 and the other numbers, bool, Uuid, Date, Decimal, Id<M>, an enum with #[derive(Choices)], or implement std::str::FromStr with an error that implements Display"
)]
pub trait FromParam: Sized {
    /// Reads the parameter at this index of the path.
    ///
    /// # Errors
    /// 400, naming the parameter.
    fn from_param(request: &Request, index: usize) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T> FromParam for T
where
    T: FromStr,
    T::Err: fmt::Display,
{
    #[inline]
    fn from_param(request: &Request, index: usize) -> Result<Self> {
        let text = request.param_at(index).unwrap_or("");
        text.parse().map_err(|error| {
            let name = request.names().get(index).copied().unwrap_or("parameter");
            Error::rejected(
                StatusCode::BAD_REQUEST,
                "invalid-path",
                Some(name.into()),
                format!("{text:?} is not acceptable: {error}"),
            )
        })
    }
}

/// The parameters of the path together: a struct by their names, a tuple or a single type by their order. 400 for a text
/// that does not fit.
///
/// ```
/// use covet::prelude::*;
///
/// #[get("/{year}/{slug}")]
/// async fn article(Path((year, slug)): Path<(u16, String)>) -> String {
///     format!("{slug} of {year}")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    async fn from_request(request: &mut Request) -> Result<Self> {
        let pairs = request.names().iter().copied().zip(request.params());
        T::deserialize(Fields::positional(pairs))
            .map(Path)
            .map_err(|error| fields::reject(StatusCode::BAD_REQUEST, "invalid-path", error))
    }
}

/// The query's fields, as a struct. A field that may be missing is an `Option`, one that may come several times a `Vec`.
/// 400 for what does not fit.
///
/// ```
/// use covet::prelude::*;
/// # use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Search { q: String, page: Option<u32>, #[serde(default)] tag: Vec<String> }
///
/// #[get("/search")]
/// async fn search(Query(search): Query<Search>) -> String {
///     format!("page {} for {}", search.page.unwrap_or(1), search.q)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    async fn from_request(request: &mut Request) -> Result<Self> {
        T::deserialize(Fields::urlencoded(request.query().as_bytes()))
            .map(Query)
            .map_err(|error| fields::reject(StatusCode::BAD_REQUEST, "invalid-query", error))
    }
}

/// The fields of an HTML form (`application/x-www-form-urlencoded`), as a struct. 415 for another content type, 422 for
/// what does not fit.
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Form<T> {
    const BODY: bool = true;
    async fn from_request(request: &mut Request) -> Result<Self> {
        let content_type = request.header("content-type").unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Error::rejected(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                Some("content-type".into()),
                format!("expected application/x-www-form-urlencoded, found {content_type:?}"),
            ));
        }
        let body = request.take_body().collect().await?;
        T::deserialize(Fields::urlencoded(&body))
            .map(Form)
            .map_err(|error| fields::reject(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", error))
    }
}

/// All headers of the request, with lower-case names.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The first value of a header, where it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All of them in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

impl FromRequest for Headers {
    async fn from_request(request: &mut Request) -> Result<Self> {
        Ok(Headers(request.headers().map(|(name, value)| (name.into(), value.into())).collect()))
    }
}

impl FromRequest for Vec<u8> {
    const BODY: bool = true;
    async fn from_request(request: &mut Request) -> Result<Self> {
        request.take_body().collect().await
    }
}

impl FromRequest for Bytes {
    const BODY: bool = true;
    async fn from_request(request: &mut Request) -> Result<Self> {
        request.take_body().collect().await.map(Bytes::from)
    }
}

/// The content as UTF-8; 400 when it is not.
impl FromRequest for String {
    const BODY: bool = true;
    async fn from_request(request: &mut Request) -> Result<Self> {
        String::from_utf8(request.take_body().collect().await?).map_err(|error| {
            Error::rejected(
                StatusCode::BAD_REQUEST,
                "invalid-body",
                None,
                format!("the content is not UTF-8: {}", error.utf8_error()),
            )
        })
    }
}

impl FromRequest for BodyStream {
    const BODY: bool = true;
    const STREAM: bool = true;
    async fn from_request(request: &mut Request) -> Result<Self> {
        Ok(BodyStream(request.take_body()))
    }
}

/// `None` where it would have been refused.
impl<T: FromRequest> FromRequest for Option<T> {
    const BODY: bool = T::BODY;
    const STREAM: bool = T::STREAM;
    async fn from_request(request: &mut Request) -> Result<Self> {
        Ok(T::from_request(request).await.ok())
    }
}

/// The handler answers itself where it would have been refused.
impl<T: FromRequest> FromRequest for Result<T, Error> {
    const BODY: bool = T::BODY;
    const STREAM: bool = T::STREAM;
    async fn from_request(request: &mut Request) -> Result<Self> {
        Ok(T::from_request(request).await)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use serde::Deserialize;

    use super::super::request::tests::request;
    use super::super::{Body, Json};
    use super::*;
    use crate::Rejection;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Point {
        x: i64,
    }

    fn refused<T: FromRequest + fmt::Debug>(mut request: Request) -> Rejection {
        match block_on(T::from_request(&mut request)) {
            Err(Error::Rejected(rejection)) => *rejection,
            other => panic!("{other:?}"),
        }
    }

    fn with_body(content_type: &str, body: &[u8]) -> Request {
        request("/", &[], &[], &[("content-type", content_type)], body)
    }

    #[test]
    fn each_refusal_has_its_status_and_names_its_field() {
        let path = || request("/x", &["id"], &["x"], &[], b"");
        let refusal = refused::<Path<i64>>(path());
        assert_eq!((refusal.status.as_u16(), refusal.field.as_deref()), (400, Some("id")));
        let error = i64::from_param(&path(), 0).unwrap_err();
        assert_eq!((error.status().as_u16(), error.field()), (400, Some("id")));
        let refusal = refused::<Query<Point>>(request("/?x=a", &[], &[], &[], b""));
        assert_eq!((refusal.status.as_u16(), refusal.field.as_deref()), (400, Some("x")));
        assert_eq!(refused::<Json<Point>>(with_body("text/plain", b"{}")).status.as_u16(), 415);
        assert_eq!(refused::<Json<Point>>(with_body("application/json", b"{")).status.as_u16(), 400);
        let refusal = refused::<Json<Point>>(with_body("application/json", b"{\"x\":true}"));
        assert_eq!((refusal.status.as_u16(), refusal.field.as_deref()), (422, Some("x")));
        let refusal = refused::<Form<Point>>(with_body("application/x-www-form-urlencoded", b"x=1.5"));
        assert_eq!((refusal.status.as_u16(), refusal.field.as_deref()), (422, Some("x")));
        assert_eq!(refused::<String>(with_body("", b"\xff")).status.as_u16(), 400);
    }

    #[test]
    fn what_fits_is_taken() {
        let mut it = request("/7?x=2", &["id"], &["7"], &[("x-a", "1")], b"body");
        assert_eq!(u8::from_param(&it, 0).unwrap(), 7);
        assert_eq!(block_on(Query::<Point>::from_request(&mut it)).unwrap().0, Point { x: 2 });
        assert_eq!(block_on(Headers::from_request(&mut it)).unwrap().get("X-A"), Some("1"));
        assert!(block_on(Option::<Json<Point>>::from_request(&mut it)).unwrap().is_none());
        assert_eq!(block_on(String::from_request(&mut it)).unwrap(), "body");
        assert_eq!(block_on(String::from_request(&mut it)).unwrap(), "", "taken once");
    }

    #[test]
    fn a_stream_of_a_body_that_is_there_gives_it_once() {
        let mut stream = BodyStream(Body::from("abc"));
        assert_eq!(block_on(stream.next()), Some(b"abc".to_vec()));
        assert_eq!(block_on(stream.next()), None);
    }
}
