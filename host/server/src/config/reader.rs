//! Reads one TOML file, key by key, and remembers everything that is wrong with it, each with its line.

use std::{cell::RefCell, fmt, path::PathBuf, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::units;

/// What is wrong with a file. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// In the order of their lines; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as given.
    pub file: String,
    /// Counted from 1; 0 when no line is at fault.
    pub line: usize,
    /// The key with its tables, as `plugins.blog.limits.deadlin`; empty for the file as a whole.
    pub key: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Where environment variables come from: the process, or a map in tests.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One file while it is read.
pub(super) struct Source<'a> {
    pub file: String,
    pub text: &'a str,
    pub env: Environment<'a>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub fn new(file: impl Into<String>, text: &'a str, env: Environment<'a>) -> Source<'a> {
        Source { file: file.into(), text, env, problems: RefCell::default() }
    }

    /// The file's root table; an empty one where the file is not TOML.
    pub fn parse(&self) -> DeTable<'a> {
        match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let message = error.message().trim().replace('\n', ", ");
                self.problem(error.span().map_or(0, |span| self.line(span.start)), "", message);
                DeTable::new()
            }
        }
    }

    pub fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }

    pub fn problem(&self, line: usize, key: &str, message: impl Into<String>) {
        let problem = Problem { file: self.file.clone(), line, key: key.to_owned(), message: message.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// `value` when nothing was wrong.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        let mut problems = self.problems.into_inner();
        if problems.is_empty() {
            return Ok(value);
        }
        problems.sort_by_key(|problem| problem.line);
        Err(ConfigError { problems })
    }
}

/// One table of a file. Asking for a key makes it a known one; [`Section::close`] reports those nobody asked for.
pub(super) struct Section<'s, 'a> {
    pub source: &'s Source<'a>,
    /// `plugins.blog`; empty for the root.
    pub path: String,
    table: &'s DeTable<'a>,
    known: Vec<&'static str>,
}

/// A value with the place that complaints about it name.
pub(super) struct Value<'s, 'a> {
    source: &'s Source<'a>,
    /// With its tables.
    pub key: String,
    pub line: usize,
    pub value: &'s DeValue<'a>,
}

impl<'s, 'a> Value<'s, 'a> {
    pub fn refuse(&self, message: impl fmt::Display) {
        self.source.problem(self.line, &self.key, format!("{}: {message}", self.key));
    }

    fn wrong_type(&self, wanted: &str) {
        self.refuse(format_args!("this is {}, it must be {wanted}", article(self.value.type_str())));
    }

    pub fn text(&self) -> Option<String> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string");
        }
        text.map(str::to_owned)
    }

    pub fn table(&self) -> Option<Section<'s, 'a>> {
        match self.value {
            DeValue::Table(table) => {
                Some(Section { source: self.source, path: self.key.clone(), table, known: Vec::new() })
            }
            _ => {
                self.wrong_type("a table");
                None
            }
        }
    }

    /// A string given here, in an environment variable (`{ env = "NAME" }`) or in a file (`{ file = "PATH" }`). Numbers
    /// and booleans count as their text.
    pub fn secret_or_text(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Datetime(value) => Some(value.to_string()),
            DeValue::Table(_) => {
                let mut table = self.table()?;
                let (env, file) = (table.get("env"), table.get("file"));
                table.close();
                match (env, file) {
                    (Some(env), None) => env.env(),
                    (None, Some(file)) => file.file(),
                    _ => {
                        self.refuse("a value from elsewhere is { env = \"NAME\" } or { file = \"PATH\" }, one of them");
                        None
                    }
                }
            }
            DeValue::Array(_) => {
                self.wrong_type("a string, a number or a boolean");
                None
            }
        }
    }

    /// The environment variable that this value names.
    pub fn env(&self) -> Option<String> {
        let name = self.text()?;
        let value = (self.source.env)(&name).filter(|value| !value.is_empty());
        if value.is_none() {
            self.refuse(format_args!("the environment variable {name} is not set; set it, or remove the key"));
        }
        value
    }

    /// The content of the file that this value names, without the line break at its end.
    pub fn file(&self) -> Option<String> {
        let path = self.text()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.refuse(format_args!("cannot read {path}: {error}"));
                None
            }
        }
    }
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

impl<'s, 'a> Section<'s, 'a> {
    pub fn root(source: &'s Source<'a>, table: &'s DeTable<'a>) -> Section<'s, 'a> {
        Section { source, path: String::new(), table, known: Vec::new() }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn value(&self, key: &Spanned<std::borrow::Cow<'a, str>>, value: &'s Spanned<DeValue<'a>>) -> Value<'s, 'a> {
        Value {
            source: self.source,
            key: self.full(key.get_ref()),
            line: self.source.line(key.span().start),
            value: value.get_ref(),
        }
    }

    pub fn get(&mut self, key: &'static str) -> Option<Value<'s, 'a>> {
        self.known.push(key);
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(self.value(name, value))
    }

    /// Every key, for tables whose keys are names.
    pub fn all(&self) -> Vec<(String, Value<'s, 'a>)> {
        self.table.iter().map(|(name, value)| (name.get_ref().to_string(), self.value(name, value))).collect()
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.get(key)?.text()
    }

    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let Some(list) = value.value.as_array() else {
            value.wrong_type("an array of strings");
            return None;
        };
        let texts: Vec<String> = list.iter().filter_map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
        if texts.len() != list.iter().count() {
            value.refuse("every item must be a string");
            return None;
        }
        Some(texts)
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let found = value.value.as_bool();
        if found.is_none() {
            value.wrong_type("true or false");
        }
        found
    }

    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A whole number from `least` to `most`.
    pub fn number(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let value = self.get(key)?;
        let Some(number) = value.value.as_integer() else {
            value.wrong_type("a whole number");
            return None;
        };
        let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
        match parsed.and_then(|parsed| u64::try_from(parsed).ok()) {
            Some(parsed) if (least..=most).contains(&parsed) => Some(parsed),
            _ => {
                value.refuse(format_args!("{number} is out of range; it may be {least} to {most}"));
                None
            }
        }
    }

    /// A duration from `least` to `most`.
    pub fn duration(&mut self, key: &'static str, least: Duration, most: Duration) -> Option<Duration> {
        let value = self.get(key)?;
        let Some(text) = value.value.as_str() else {
            value.wrong_type("a duration with its unit, as \"5s\" or \"250ms\"");
            return None;
        };
        match units::duration(text) {
            Ok(duration) if (least..=most).contains(&duration) => Some(duration),
            Ok(_) => {
                value.refuse(format_args!("\"{text}\" is out of range; it may be {least:?} to {most:?}"));
                None
            }
            Err(why) => {
                value.refuse(why);
                None
            }
        }
    }

    /// A size in bytes from `least` to `most`.
    pub fn size(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let value = self.get(key)?;
        let Some(text) = value.value.as_str() else {
            value.wrong_type("a size with its unit, as \"64MiB\" or \"10 MB\"");
            return None;
        };
        match units::size(text) {
            Ok(size) if (least..=most).contains(&size) => Some(size),
            Ok(size) => {
                value.refuse(format_args!(
                    "\"{text}\" ({size} bytes) is out of range; it may be {least} to {most} bytes"
                ));
                None
            }
            Err(why) => {
                value.refuse(why);
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let value = self.get(key)?;
        let text = value.text()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let hint = units::nearest(&text, names.iter().copied());
        let hint = hint.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
        value.refuse(format_args!("\"{text}\" is none of {}{hint}", names.join(", ")));
        None
    }

    pub fn section(&mut self, key: &'static str) -> Option<Section<'s, 'a>> {
        self.get(key)?.table()
    }

    /// Says what is wrong with the section as a whole.
    pub fn refuse(&self, message: impl fmt::Display) {
        let line = self.table.keys().map(|name| self.source.line(name.span().start)).min().unwrap_or(0);
        self.source.problem(line, &self.path, format!("[{}]: {message}", self.path));
    }

    /// Reports every key that nobody asked for.
    pub fn close(self) {
        for (name, value) in self.all() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let place = if self.path.is_empty() { "at the top".to_owned() } else { format!("in [{}]", self.path) };
            let hint = match units::nearest(&name, self.known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known there: {}", self.known.join(", ")),
            };
            self.source.problem(value.line, &value.key, format!("unknown key \"{name}\" {place}; {hint}"));
        }
    }
}

/// The environment of this process.
pub(super) fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A fixed environment.
#[cfg(test)]
pub(super) fn fixed_env(values: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let values: std::collections::HashMap<String, String> =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| values.get(name).cloned()
}
