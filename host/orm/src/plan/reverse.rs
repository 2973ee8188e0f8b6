//! Relations walked from the row that is pointed to: `Post.author` leads from an author to their posts.
//!
//! They are joined from the left, so that a row to which nothing points stays, with nulls beside it, as in Django; a condition
//! that null does not meet leaves it out again, and the databases see that by themselves. One row becomes as many as point to
//! it: whoever wants it once says `distinct`.

use super::path::{Scope, find};
use crate::QueryError;
use crate::catalog::{Catalog, Entry};

/// How a table of a query is reached from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By this field of the other one, which points here.
    To(usize),
    /// By this field here, which points to the other one. The model as an index into the catalog.
    Back { model: usize, field: usize },
}

impl Way {
    /// True when one row of the other table may meet several of this one.
    pub fn multiplies(self, catalog: &Catalog) -> bool {
        match self {
            Way::To(_) => false,
            Way::Back { model, field } => {
                let field = catalog.entry(model).and_then(|entry| entry.field(field));
                !field.is_some_and(|field| field.unique || field.primary_key)
            }
        }
    }
}

/// The relation that a step `Model.field` names, seen from the model that it points to.
///
/// # Errors
/// `BadQuery` names those that do point to it.
pub(super) fn back(scope: &Scope<'_>, at: usize, model: &str, field: &str) -> Result<(Way, usize), QueryError> {
    let Some((_, to)) = scope.source(at) else {
        return Err(QueryError::bad("a path left the query"));
    };
    let (model, field) = pointing(scope.catalog, to, model, field)?;
    Ok((Way::Back { model, field }, model))
}

/// The field of a model that points to `to`, as indexes.
///
/// # Errors
/// `BadQuery` names those that do point to it.
pub(super) fn pointing(catalog: &Catalog, to: &Entry, model: &str, field: &str) -> Result<(usize, usize), QueryError> {
    let found = catalog.index_of(model).and_then(|index| Some((index, catalog.entry(index)?)));
    if let Some((index, entry)) = found {
        let way = (index, find(entry, field)?);
        if to.referenced_by.contains(&way) {
            return Ok(way);
        }
    }
    let known: Vec<String> = to
        .referenced_by
        .iter()
        .take(12)
        .filter_map(|(model, field)| {
            let entry = catalog.entry(*model)?;
            Some(format!("{}.{}", entry.model.name, entry.field(*field)?.name))
        })
        .collect();
    let known = if known.is_empty() { "nothing does".to_owned() } else { format!("these do: {}", known.join(", ")) };
    let shown: String = format!("{model}.{field}").chars().take(80).collect();
    Err(QueryError::bad(format!("{shown} does not point to {}: {known}", to.model.name)))
}
