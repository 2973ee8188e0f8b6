//! SQL functions that every connection has besides SQLite's own.
//!
//! - `text REGEXP pattern`: the `regex` crate's syntax (`(?i)` for any case), linear time on hostile patterns;
//! - `covet_lower(text)`: lower case by Unicode, letter by letter and with one sigma (`ς` becomes `σ`), so that a part of a
//!   text is also a part of its lower case; SQLite's own `lower` and `LIKE` know ASCII only.
//!
//! Neither may stand in an index or a constraint: other programs that open the file lack them.

use std::sync::Arc;

use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};

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
    connection.create_scalar_function(c"covet_lower", 1, flags, lower)?;
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

fn lower(context: &mut Context<'_>) -> rusqlite::Result<Option<String>> {
    Ok(match context.get_raw(0) {
        ValueRef::Null => None,
        ValueRef::Text(text) => Some(lower_case(text_of(text)?)),
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(value.to_string()),
        ValueRef::Blob(_) => return Err(function_error("covet_lower: binary values have no case")),
    })
}

fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

fn text_of(bytes: &[u8]) -> rusqlite::Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| function_error("a stored text is not UTF-8; correct the row"))
}

fn function_error(message: &str) -> Error {
    Error::UserFunctionError(message.into())
}
