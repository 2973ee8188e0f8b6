//! The operator's values for this plugin, from `[plugins.NAME.config]` in `covet.toml`.

use std::fmt;
use std::str::FromStr;

use crate::bindings::covet::config::config as wit;
use crate::{Error, Result};

/// The value under `key` as text, or none. Never suspends, about 0.2 µs.
pub fn get(key: &str) -> Option<String> {
    wit::get(key)
}

/// The value under `key` as any type that is read from text, or none.
///
/// # Errors
/// When there is a value and it does not fit; the log names the key.
pub fn parse<T>(key: &str) -> Result<Option<T>>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let Some(text) = get(key) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(Error::internal(format!("configuration: {key} = {text:?}: {error}"))),
    }
}
