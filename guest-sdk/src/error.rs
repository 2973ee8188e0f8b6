//! What can go wrong in a handler, and the HTTP answer each case becomes.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use crate::bindings::covet::{cache::cache, orm::query};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure of a host call, of an extractor or of a handler.
///
/// Returned from a handler it becomes a JSON answer `{"error":{"code":"not-found","message":"…"}}` with the status in
/// the table of [`Error::status`]. What only the plugin's author can mend (5xx) is logged in full and answered in
/// general words: no query, table or path reaches the client.
///
/// Your own error types take part with `impl From<MyError> for covet::Error`:
///
/// ```
/// use covet::prelude::*;
///
/// struct OutOfStock { sku: String }
///
/// impl From<OutOfStock> for covet::Error {
///     fn from(e: OutOfStock) -> Self {
///         covet::Error::new(StatusCode::CONFLICT, "out-of-stock", format!("{} is sold out", e.sku))
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// No row matched; holds the model's name.
    NotFound(Cow<'static, str>),
    /// `get` matched more than one row; holds the model's name.
    Multiple(Cow<'static, str>),
    /// A unique constraint, as `posts.slug`.
    UniqueViolation(String),
    /// A row that is pointed to is missing, or one that is still pointed to was to be deleted.
    ForeignKeyViolation(String),
    /// A column that must not be null, as `posts.title`.
    NotNullViolation(String),
    /// A check constraint of the database.
    CheckViolation(String),
    /// A value that its field refuses.
    Invalid {
        /// The field's name in the model.
        field: Cow<'static, str>,
        /// Why, for the client to read.
        reason: String,
    },
    /// What the operator did not grant.
    Denied(String),
    /// The deadline of the request or of the transaction passed.
    Timeout,
    /// No database connection became free in time.
    PoolExhausted,
    /// The transaction had ended before.
    TransactionClosed,
    /// Serialization failure or deadlock: safe to try again.
    Conflict(String),
    /// More than a limit allows; names the limit.
    TooLarge(String),
    /// Database or cache cannot be reached.
    Unavailable(String),
    /// A query that does not fit the models.
    BadQuery(String),
    /// A field that `only` left out was asked for.
    Deferred {
        /// Model the field belongs to.
        model: &'static str,
        /// The field that was not fetched.
        field: String,
    },
    /// The rows of a [`Related`](crate::Related) field were asked for, and were not fetched.
    NotPrefetched {
        /// Their model.
        model: &'static str,
    },
    /// What the request lacks or has wrong; made by the extractors.
    Rejected(Box<Rejection>),
    /// Anything else: logged, answered as 500.
    Internal(String),
}

/// A request that was refused, with the answer for its client.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// The answer's status.
    pub status: StatusCode,
    /// Stable, for programs: `invalid-path`, `invalid-query`, `invalid-body`, `unsupported-media-type`…
    pub code: Cow<'static, str>,
    /// For people.
    pub message: String,
    /// The parameter or the member of the body that is wrong, as `items[2].price`.
    pub field: Option<String>,
}

impl Error {
    /// An error with a status, a stable code for programs and a message for people, all of which the client sees.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Error::Rejected(Box::new(Rejection { status, code: code.into(), message: message.into(), field: None }))
    }

    /// 404 with `what` in the message.
    pub fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Error::NotFound(what.into())
    }

    /// 400 with this message.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Error::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    /// 401 with this message.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Error::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 403 with this message.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Error::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 422: `field` is not acceptable because of `reason`.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Error::Invalid { field: field.into(), reason: reason.into() }
    }

    /// 500. The text goes to the log, not to the client. Good for `.map_err(Error::internal)`.
    pub fn internal(why: impl fmt::Display) -> Self {
        Error::Internal(why.to_string())
    }

    pub(crate) fn bad_request_code(code: &'static str) -> Self {
        Error::new(StatusCode::BAD_REQUEST, code, code)
    }

    pub(crate) fn rejected(
        status: StatusCode,
        code: &'static str,
        field: Option<String>,
        message: impl Into<String>,
    ) -> Self {
        let (code, message) = (Cow::Borrowed(code), message.into());
        Error::Rejected(Box::new(Rejection { status, code, message, field }))
    }

    /// The status this error is answered with: not found 404 · unique, foreign key, conflict 409 · invalid, not null,
    /// check 422 · denied 403 · too large 413 · timeout 504 · pool exhausted, unavailable 503 · rejected its own ·
    /// all else 500.
    pub fn status(&self) -> StatusCode {
        match self {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::UniqueViolation(_) | Error::ForeignKeyViolation(_) | Error::Conflict(_) => StatusCode::CONFLICT,
            Error::Invalid { .. } | Error::NotNullViolation(_) | Error::CheckViolation(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Error::Denied(_) => StatusCode::FORBIDDEN,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Error::PoolExhausted | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Rejected(rejection) => rejection.status,
            Error::Multiple(_)
            | Error::TransactionClosed
            | Error::BadQuery(_)
            | Error::Deferred { .. }
            | Error::NotPrefetched { .. }
            | Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Stable name of the case, as in the answer's `code`.
    pub fn code(&self) -> &str {
        match self {
            Error::NotFound(_) => "not-found",
            Error::Multiple(_) => "multiple",
            Error::UniqueViolation(_) => "unique-violation",
            Error::ForeignKeyViolation(_) => "foreign-key-violation",
            Error::NotNullViolation(_) => "not-null-violation",
            Error::CheckViolation(_) => "check-violation",
            Error::Invalid { .. } => "invalid",
            Error::Denied(_) => "denied",
            Error::Timeout => "timeout",
            Error::PoolExhausted => "pool-exhausted",
            Error::TransactionClosed => "transaction-closed",
            Error::Conflict(_) => "conflict",
            Error::TooLarge(_) => "too-large",
            Error::Unavailable(_) => "unavailable",
            Error::BadQuery(_) => "bad-query",
            Error::Deferred { .. } => "deferred",
            Error::NotPrefetched { .. } => "not-prefetched",
            Error::Rejected(rejection) => &rejection.code,
            Error::Internal(_) => "internal",
        }
    }

    /// The member of the request that is at fault, where one is known.
    pub fn field(&self) -> Option<&str> {
        match self {
            Error::Invalid { field, .. } => Some(field),
            Error::Rejected(rejection) => rejection.field.as_deref(),
            _ => None,
        }
    }

    /// What a client may read. `None`: only the log may have it.
    pub(crate) fn public_message(&self) -> Option<String> {
        match self {
            Error::NotFound(_) | Error::Invalid { .. } | Error::TooLarge(_) | Error::Timeout | Error::PoolExhausted => {
                Some(self.to_string())
            }
            Error::Rejected(rejection) => Some(rejection.message.clone()),
            Error::UniqueViolation(_) => Some("a row with this value exists already".into()),
            Error::ForeignKeyViolation(_) => {
                Some("a row that this one depends on is missing, or others depend on it".into())
            }
            Error::NotNullViolation(_) => Some("a value that is required is missing".into()),
            Error::CheckViolation(_) => Some("a value is not allowed".into()),
            Error::Conflict(_) => Some("someone else changed the same data: try again".into()),
            Error::Denied(_) => Some("not allowed".into()),
            Error::Unavailable(_) => Some("a service is not available: try again later".into()),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound(what) => write!(f, "{what} not found"),
            Error::Multiple(model) => {
                write!(f, "get() on {model} matched more than one row: narrow the filter, or use first()")
            }
            Error::UniqueViolation(what) => write!(f, "unique constraint {what} violated"),
            Error::ForeignKeyViolation(what) => write!(f, "foreign key violated: {what}"),
            Error::NotNullViolation(column) => write!(f, "{column} must not be null"),
            Error::CheckViolation(what) => write!(f, "check constraint violated: {what}"),
            Error::Invalid { field, reason } => write!(f, "{field}: {reason}"),
            Error::Denied(what) => write!(f, "denied: {what}"),
            Error::Timeout => f.write_str("the deadline passed"),
            Error::PoolExhausted => f.write_str("no database connection became free in time"),
            Error::TransactionClosed => f.write_str("the transaction has ended already"),
            Error::Conflict(why) => write!(f, "conflict with another transaction: {why}"),
            Error::TooLarge(limit) => write!(f, "too large: {limit}"),
            Error::Unavailable(what) => write!(f, "not available: {what}"),
            Error::BadQuery(why) => write!(f, "bad query: {why}"),
            Error::Deferred { model, field } => {
                write!(f, "{model}.{field} was not fetched: name it in only(…), or load() the whole row")
            }
            Error::NotPrefetched { model } => {
                write!(f, "related rows of {model} were not fetched: add prefetch_related(…) to the query")
            }
            Error::Rejected(rejection) => match &rejection.field {
                Some(field) => write!(f, "{field}: {}", rejection.message),
                None => f.write_str(&rejection.message),
            },
            Error::Internal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

impl From<query::Error> for Error {
    fn from(error: query::Error) -> Self {
        match error {
            query::Error::Denied(what) => Error::Denied(what),
            query::Error::BadQuery(why) => Error::BadQuery(why),
            query::Error::Invalid(value) => Error::Invalid { field: value.field.into(), reason: value.reason },
            query::Error::UniqueViolation(what) => Error::UniqueViolation(what),
            query::Error::ForeignKeyViolation(what) => Error::ForeignKeyViolation(what),
            query::Error::NotNullViolation(what) => Error::NotNullViolation(what),
            query::Error::CheckViolation(what) => Error::CheckViolation(what),
            query::Error::Timeout => Error::Timeout,
            query::Error::PoolExhausted => Error::PoolExhausted,
            query::Error::TransactionClosed => Error::TransactionClosed,
            query::Error::Conflict(why) => Error::Conflict(why),
            query::Error::TooLarge(limit) => Error::TooLarge(limit),
            query::Error::Unavailable(what) => Error::Unavailable(what),
        }
    }
}

impl From<cache::Error> for Error {
    fn from(error: cache::Error) -> Self {
        match error {
            cache::Error::Denied(what) => Error::Denied(what),
            cache::Error::TooLarge(limit) => Error::TooLarge(limit),
            cache::Error::Unavailable(what) => Error::Unavailable(what),
        }
    }
}

impl From<minicbor::decode::Error> for Error {
    fn from(error: minicbor::decode::Error) -> Self {
        Error::Internal(format!("a row does not fit its model: {error}"))
    }
}

/// Failures of the standard library and of the crates that covet re-exports are internal errors.
macro_rules! internal {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Error::internal(error)
            }
        }
    )*};
}

internal!(
    serde_json::Error,
    std::io::Error,
    std::fmt::Error,
    std::num::ParseIntError,
    std::num::ParseFloatError,
    std::num::TryFromIntError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    chrono::ParseError,
    uuid::Error,
    bigdecimal::ParseBigDecimalError,
    Box<dyn std::error::Error>,
    Box<dyn std::error::Error + Send + Sync>,
);
