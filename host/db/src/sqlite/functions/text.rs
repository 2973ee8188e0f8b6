//! Texts: cases by Unicode, lengths and parts in characters.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use super::{function_error, past, text_of};

pub(super) fn register(connection: &Connection, flags: FunctionFlags) -> Result<()> {
    connection.create_scalar_function(c"covet_lower", 1, flags, |context| cased(context, lower_case))?;
    connection.create_scalar_function(c"covet_upper", 1, flags, |context| cased(context, str::to_uppercase))?;
    connection.create_scalar_function(c"covet_length", 1, flags, length)?;
    connection.create_scalar_function(c"covet_substring", 3, flags, substring)?;
    connection.create_scalar_function(c"covet_ends", 2, flags, ends)?;
    connection.create_scalar_function(c"covet_fit", 2, flags, fit)
}

fn cased(context: &Context<'_>, case: fn(&str) -> String) -> Result<Option<String>> {
    Ok(match context.get_raw(0) {
        ValueRef::Null => None,
        ValueRef::Text(text) => Some(case(text_of(text)?)),
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(value.to_string()),
        ValueRef::Blob(_) => return Err(function_error("covet_lower, covet_upper: binary values have no case")),
    })
}

fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

/// The text at this place; none for null.
fn text<'a>(context: &'a Context<'_>, at: usize) -> Result<Option<&'a str>> {
    match context.get_raw(at) {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => text_of(text).map(Some),
        _ => Err(function_error("a text was expected")),
    }
}

fn length(context: &mut Context<'_>) -> Result<Option<i64>> {
    Ok(text(context, 0)?.map(|text| text.chars().count() as i64))
}

/// `covet_substring(text, from, count)`: the first character is 1; what lies before it is not counted as a place.
fn substring(context: &mut Context<'_>) -> Result<Option<String>> {
    let (from, count): (Option<i64>, Option<i64>) = (context.get(1)?, context.get(2)?);
    let (Some(text), Some(from), Some(count)) = (text(context, 0)?, from, count) else {
        return Ok(None);
    };
    let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(0);
    let taken = usize::try_from(count).unwrap_or(0);
    Ok(Some(text.chars().skip(skipped).take(taken).collect()))
}

/// `covet_ends(text, bytes)`: a UTF-8 text ends with another exactly when their bytes do.
fn ends(context: &mut Context<'_>) -> Result<Option<bool>> {
    let needle = match context.get_raw(1) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => return Ok(None),
    };
    Ok(text(context, 0)?.map(|text| text.as_bytes().ends_with(needle)))
}

/// `covet_fit(text, most)`: the text, unless it has more characters.
fn fit(context: &mut Context<'_>) -> Result<Option<String>> {
    let most: i64 = context.get(1)?;
    let Some(text) = text(context, 0)? else {
        return Ok(None);
    };
    let length = text.chars().count() as i64;
    if length > most {
        return Err(past(format!("a computed text has {length} characters, at most {most} fit")));
    }
    Ok(Some(text.to_owned()))
}
