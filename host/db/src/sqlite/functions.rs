//! SQL functions that every connection has besides SQLite's own.
//!
//! - `text REGEXP pattern`: the `regex` crate's syntax (`(?i)` for any case), linear time on hostile patterns;
//! - `covet_lower(text)`, `covet_upper(text)`: cases by Unicode; lower case letter by letter and with one sigma (`ς` becomes
//!   `σ`), so that a part of a text is also a part of its lower case. SQLite's own and `LIKE` know ASCII only;
//! - `covet_length`, `covet_substring`, `covet_fit`: texts with NUL in them, which SQLite's own stop at;
//! - exact decimals ([`decimal`]) and the calendar ([`calendar`]).
//!
//! None may stand in an index or a constraint: other programs that open the file lack them.

mod calendar;
mod decimal;
mod text;

use std::sync::Arc;

use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ffi};

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;

/// Memory of one compiled pattern, and again of its lazy automaton, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// Compiled patterns kept for all connections.
const PATTERNS: usize = 64;

static COMPILED: Mutex<Vec<(String, Arc<Regex>)>> = Mutex::new(Vec::new());

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(c"regexp", 2, flags, regexp)?;
    text::register(connection, flags)?;
    decimal::register(connection, flags)?;
    calendar::register(connection, flags)?;
    rusqlite::vtab::array::load_module(connection)
}

/// `text REGEXP pattern` calls `regexp(pattern, text)`.
fn regexp(context: &mut Context<'_>) -> rusqlite::Result<Option<bool>> {
    if matches!(context.get_raw(0), ValueRef::Null) {
        return Ok(None);
    }
    // Kept by SQLite while the statement runs: one look-up a query, not one a row.
    let regex: Arc<Arc<Regex>> =
        context.get_or_create_aux(0, |pattern| compile(pattern.as_str().map_err(|error| error.to_string())?))?;
    Ok(match context.get_raw(1) {
        ValueRef::Null => None,
        ValueRef::Text(text) => Some(regex.is_match(text_of(text)?)),
        ValueRef::Integer(value) => Some(regex.is_match(&value.to_string())),
        ValueRef::Real(value) => Some(regex.is_match(&value.to_string())),
        ValueRef::Blob(_) => {
            return Err(function_error("REGEXP: binary values have no text to match"));
        }
    })
}

fn compile(pattern: &str) -> Result<Arc<Regex>, String> {
    if pattern.len() > MAX_PATTERN {
        let length = pattern.len();
        return Err(format!("REGEXP: the pattern has {length} bytes, {MAX_PATTERN} are allowed"));
    }
    let mut compiled = COMPILED.lock();
    if let Some(at) = compiled.iter().position(|(known, _)| known == pattern) {
        // Most recently used last.
        let found = compiled.remove(at);
        let regex = Arc::clone(&found.1);
        compiled.push(found);
        return Ok(regex);
    }
    drop(compiled);
    let regex = RegexBuilder::new(pattern)
        .size_limit(MAX_REGEX)
        .dfa_size_limit(MAX_REGEX)
        .build()
        .map_err(|error| format!("REGEXP: {error}"))?;
    let regex = Arc::new(regex);
    let mut compiled = COMPILED.lock();
    if compiled.len() >= PATTERNS {
        compiled.remove(0);
    }
    compiled.push((pattern.to_owned(), Arc::clone(&regex)));
    Ok(regex)
}

fn text_of(bytes: &[u8]) -> rusqlite::Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| function_error("a stored text is not UTF-8; correct the row"))
}

fn function_error(message: &str) -> Error {
    Error::UserFunctionError(message.into())
}

/// A value that what it is computed for cannot hold: a violated constraint, as if its column had said so.
fn past(message: impl Into<String>) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT_FUNCTION), Some(message.into()))
}
