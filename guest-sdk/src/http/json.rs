//! JSON, in and out.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{FromRequest, IntoResponse, Request, Response};
use crate::{Error, Result};

/// JSON: as an argument the request's content, as an answer a response, as a model's field a JSON column.
///
/// As an argument it wants `content-type: application/json` (or `…+json`) and answers 415 without it, 400 to what is
/// not JSON, and 422 to JSON that does not fit `T`, with the path of the member that is wrong.
///
/// ```
/// use covet::prelude::*;
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct NewPost { title: String }
///
/// #[derive(Serialize)]
/// struct Created { title: String }
///
/// #[post("/posts")]
/// async fn create(Json(new): Json<NewPost>) -> (StatusCode, Json<Created>) {
///     (StatusCode::CREATED, Json(Created { title: new.title }))
/// }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T> std::ops::Deref for Json<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
impl<T> std::ops::DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Json(value)
    }
}
impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Json)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => Response::typed("application/json", body),
            Err(error) => Error::internal(format!("the answer cannot be JSON: {error}")).into_response(),
        }
    }
}

impl<T: DeserializeOwned> FromRequest for Json<T> {
    const BODY: bool = true;

    async fn from_request(request: &mut Request) -> Result<Self> {
        let content_type = request.header("content-type").unwrap_or("");
        if !is_json(content_type) {
            return Err(Error::rejected(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                Some("content-type".into()),
                format!("expected application/json, found {content_type:?}"),
            ));
        }
        let body = request.take_body().collect().await?;
        parse(&body).map(Json)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.len() > 5 && essence.as_bytes()[essence.len() - 5..].eq_ignore_ascii_case(b"+json")
}

pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        use serde_json::error::Category;
        match error.classify() {
            Category::Data => {
                Error::rejected(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", member(body, &error), reason(&error))
            }
            _ => Error::rejected(
                StatusCode::BAD_REQUEST,
                "malformed-json",
                None,
                format!("the content is not JSON: {error}"),
            ),
        }
    })
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The path of the member that does not fit, as `items[2].price`. serde_json says only where in the text it stopped, so
/// the text is walked up to there.
fn member(body: &[u8], error: &serde_json::Error) -> Option<String> {
    let mut stop = 0;
    for _ in 1..error.line() {
        stop += body[stop..].iter().position(|b| *b == b'\n')? + 1;
    }
    stop = (stop + error.column()).min(body.len());
    let mut path = walk(&body[..stop]);
    // A missing or unknown field is noticed at the end of its object: its own name is in the message.
    let message = error.to_string();
    if let Some(name) =
        ["missing field `", "unknown field `"].iter().find_map(|start| message.strip_prefix(start)?.split('`').next())
    {
        if message.starts_with("unknown") {
            path.pop();
        }
        path.push(Step::Member(name.to_owned()));
    }
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) if text.is_empty() => text = name,
            Step::Member(name) => text = format!("{text}.{name}"),
            Step::Index(index) => text = format!("{text}[{index}]"),
        }
    }
    (!text.is_empty()).then_some(text)
}

enum Step {
    Member(String),
    Index(usize),
}

/// Which members are open where the text ends. The text is JSON up to there: serde_json has read it.
fn walk(text: &[u8]) -> Vec<Step> {
    let mut open: Vec<Step> = Vec::new();
    let mut key: Option<String> = None;
    let mut at = 0;
    // Whether the last closed value was an object or array right at the end: then it is the one that does not fit.
    while at < text.len() {
        let byte = text[at];
        at += 1;
        match byte {
            b'"' => {
                let start = at;
                while at < text.len() && text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                let end = at.min(text.len());
                at += 1;
                key = Some(String::from_utf8_lossy(&text[start..end]).into_owned());
            }
            b':' => {
                if let (Some(Step::Member(name)), Some(key)) = (open.last_mut(), key.take()) {
                    *name = key;
                }
            }
            b'{' => open.push(Step::Member(String::new())),
            b'[' => open.push(Step::Index(0)),
            b',' => {
                if let Some(Step::Index(index)) = open.last_mut() {
                    *index += 1;
                }
            }
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.retain(|step| !matches!(step, Step::Member(name) if name.is_empty()));
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Item {
        name: String,
        price: i64,
    }
    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Order {
        items: Vec<Item>,
        note: Option<String>,
    }

    fn rejection(text: &str) -> crate::error::Rejection {
        match parse::<Order>(text.as_bytes()).unwrap_err() {
            Error::Rejected(rejection) => *rejection,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_member_that_does_not_fit_is_named_by_its_path() {
        let text = "{\n \"note\": null,\n \"items\": [{\"name\": \"a\", \"price\": 1}, {\"name\": \"b\",\n \"price\": \"two\"}]}";
        let rejection = rejection(text);
        assert_eq!(rejection.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(rejection.field.as_deref(), Some("items[1].price"));
        assert_eq!(rejection.message, "invalid type: string \"two\", expected i64");
    }

    #[test]
    fn a_missing_member_is_named() {
        assert_eq!(rejection("{}").field.as_deref(), Some("items"));
    }

    #[test]
    fn what_is_not_json_is_a_bad_request() {
        for text in ["", "{", "{\"items\": [}", "nope"] {
            assert_eq!(rejection(text).status, StatusCode::BAD_REQUEST, "{text:?}");
        }
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        assert!(is_json("application/json"));
        assert!(is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("application/problem+json"));
        assert!(!is_json("text/plain"));
        assert!(!is_json(""));
    }
}
