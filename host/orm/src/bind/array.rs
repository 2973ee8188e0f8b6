//! Arrays: a JSON array of values of one kind, brought to one form, so that equal arrays are equal texts.

use std::fmt::Write;

use serde_json::Value as Json;

use super::json;
use super::text::MAX_JSON_BYTES;
use super::value::{DATES, DAY, quote};
use crate::schema::{ArraySpec, Element};

/// Most elements of an array that names no size of its own.
pub const MAX_ARRAY: u32 = 10_000;

/// Checks an array and writes it without white space, numbers and texts in one spelling.
///
/// # Errors
/// What does not fit, and where.
pub(super) fn canonical(spec: ArraySpec, text: &str) -> Result<String, String> {
    if text.len() > MAX_JSON_BYTES {
        return Err(format!("an array has at most {MAX_JSON_BYTES} bytes, this one has {}", text.len()));
    }
    // The parser's own limit of depth guards its recursion; anything nested is refused below.
    let Ok(Json::Array(items)) = serde_json::from_str(text) else {
        return Err(format!("{} is no JSON array: write it as [1, 2]", quote(text)));
    };
    let most = spec.size.unwrap_or(MAX_ARRAY);
    if items.len() > most as usize {
        return Err(format!("has {} elements, at most {most} fit", items.len()));
    }
    let mut out = String::with_capacity(text.len());
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        element(spec.element, item, &mut out).map_err(|wanted| {
            format!("element {at} is {}, {} is wanted: {wanted}", quote(&item.to_string()), spec.element.label())
        })?;
    }
    out.push(']');
    // Databases that keep documents in a form of their own must give back what was stored.
    json::normal(&out)
}

/// Appends one element; the error says what it must be.
fn element(kind: Element, item: &Json, out: &mut String) -> Result<(), String> {
    let whole = |least: i64, most: i64| match item.as_i64() {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("an int from {least} to {most}")),
    };
    let written = match kind {
        Element::Boolean => write!(out, "{}", item.as_bool().ok_or("true or false")?),
        Element::Int16 => write!(out, "{}", whole(i16::MIN.into(), i16::MAX.into())?),
        Element::Int32 => write!(out, "{}", whole(i32::MIN.into(), i32::MAX.into())?),
        Element::Int64 => write!(out, "{}", whole(i64::MIN, i64::MAX)?),
        Element::Datetime => write!(out, "{}", whole(DATES.0 * DAY, (DATES.1 + 1) * DAY - 1)?),
        Element::Date => write!(out, "{}", whole(DATES.0, DATES.1)?),
        Element::Float64 => {
            let number = item.as_f64().filter(|number| number.is_finite()).ok_or("a finite number")?;
            write!(out, "{}", Json::from(number))
        }
        Element::Text => write!(out, "{}", Json::from(item.as_str().ok_or("a string")?)),
        Element::Uuid => write!(out, "\"{}\"", uuid(item.as_str().unwrap_or_default()).ok_or("a UUID with hyphens")?),
    };
    // Writing to a string does not fail.
    written.map_err(|_| "a value that can be written".to_owned())
}

/// `8-4-4-4-12` hexadecimal digits (RFC 9562 §4), in lower case.
fn uuid(text: &str) -> Option<String> {
    let groups = [8, 4, 4, 4, 12];
    let fits = text.split('-').map(str::len).eq(groups) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(element: Element) -> ArraySpec {
        ArraySpec { element, size: None }
    }

    #[test]
    fn equal_arrays_become_equal_texts() {
        assert_eq!(
            canonical(of(Element::Int64), " [ 1 ,\n-2, 9223372036854775807 ] "),
            Ok("[1,-2,9223372036854775807]".into())
        );
        assert_eq!(canonical(of(Element::Text), r#"["a\u0062", "\n"]"#), Ok(r#"["ab","\n"]"#.into()));
        assert_eq!(canonical(of(Element::Float64), "[1, 2.50]"), Ok("[1.0,2.5]".into()));
        assert_eq!(
            canonical(of(Element::Uuid), r#"["67E55044-10B1-426F-9247-BB680E5FE0C8"]"#),
            Ok(r#"["67e55044-10b1-426f-9247-bb680e5fe0c8"]"#.into())
        );
        assert_eq!(canonical(of(Element::Boolean), "[]"), Ok("[]".into()));
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        for (element, text, says) in [
            (Element::Int16, "[1, 40000]", "element 1 is \"40000\", int16 is wanted"),
            (Element::Int64, "[1.5]", "an int from"),
            (Element::Int64, "[null]", "element 0 is \"null\""),
            (Element::Int64, "[[1]]", "int64 is wanted"),
            (Element::Int64, "{}", "no JSON array"),
            (Element::Int64, "[1", "no JSON array"),
            (Element::Float64, "[1e999]", "no JSON array"),
            (Element::Uuid, "[\"67e5504410b1426f9247bb680e5fe0c8\"]", "with hyphens"),
            (Element::Date, "[99999999]", "an int from"),
        ] {
            let said = canonical(of(element), text).unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
        let two = ArraySpec { element: Element::Int64, size: Some(2) };
        assert!(canonical(two, "[1,2,3]").unwrap_err().contains("at most 2 fit"));
        let deep = "[".repeat(100_000);
        assert!(canonical(of(Element::Int64), &deep).is_err());
    }
}
