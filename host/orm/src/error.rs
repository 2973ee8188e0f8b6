//! What can be wrong with a query or a schema. Each names the thing, the value, the limit and the way out.

use covet_db::DbError;
use thiserror::Error;

/// Why a query was not planned or did not run; one variant for each group of the WIT's `query.error`.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The shape or its parameters do not fit the models.
    #[error("bad query: {0}")]
    BadQuery(String),
    /// A value that its field refuses.
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    /// Not granted.
    #[error("denied: {0}")]
    Denied(String),
    /// More than a limit allows.
    #[error("too large: {0}")]
    TooLarge(String),
    /// What the database said.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl QueryError {
    pub(crate) fn bad(message: impl Into<String>) -> QueryError {
        QueryError::BadQuery(message.into())
    }

    pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> QueryError {
        QueryError::Invalid { field: field.into(), reason: reason.into() }
    }
}

/// Why a plugin's models were refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}: {reason}", self.place())]
pub struct SchemaError {
    /// The model's name as sent (cut to 80 characters), empty when the fault lies with the list of models.
    pub model: String,
    /// The field's name as sent, where one is at fault.
    pub field: Option<String>,
    pub reason: String,
}

impl SchemaError {
    fn place(&self) -> String {
        match (&self.model, &self.field) {
            (model, _) if model.is_empty() => "models".to_owned(),
            (model, Some(field)) => format!("model {model}, field {field}"),
            (model, None) => format!("model {model}"),
        }
    }
}
