//! What commands print: text for people on a terminal, one JSON value for programs.
//!
//! Results go to standard output; progress, notes and errors for people go to standard error. With `--json`, standard output
//! carries JSON only: one value, or one line an event for commands that go on (`serve`, `dev`, `logs`).

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::outcome::Failure;

#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Output {
        Output { json }
    }

    pub fn is_json(self) -> bool {
        self.json
    }

    /// The result of a command: `json` for programs, `text` for people.
    pub fn result(self, json: &Value, text: impl FnOnce() -> String) {
        if self.json { line(&json.to_string()) } else { line(text().trim_end()) }
    }

    /// Something that happened, in a command that goes on.
    pub fn event(self, json: &Value, text: impl FnOnce() -> String) {
        self.result(json, text);
    }

    /// A note for people, on standard error.
    pub fn note(self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    pub fn failure(self, failure: &Failure) {
        if failure.reported {
            return;
        }
        if self.json {
            let Failure { code, message, hint, .. } = failure;
            line(&json!({ "error": { "code": code, "message": message, "hint": hint } }).to_string());
        } else {
            eprintln!("error: {failure}");
        }
    }

    /// A spinner on a terminal; nothing elsewhere. It goes when dropped.
    pub fn spinner(self, message: String) -> Spinner {
        if self.json || !std::io::stderr().is_terminal() {
            return Spinner(None);
        }
        let bar = ProgressBar::new_spinner().with_message(message);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner(Some(bar))
    }
}

#[derive(Debug)]
pub struct Spinner(Option<ProgressBar>);

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

/// A line on standard output. A closed pipe (`covet routes | head -1`) is no error.
fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Columns as wide as their widest cell, two blanks apart.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut push = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    push(&mut head.iter().copied());
    for row in rows {
        push(&mut row.iter().map(String::as_str));
    }
    text
}

/// `1.4 MiB`, `320 KiB`, `17 B`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

/// `0.42 s`, `73 s`.
pub fn seconds(time: Duration) -> String {
    if time.as_secs() < 10 { format!("{:.2} s", time.as_secs_f64()) } else { format!("{} s", time.as_secs()) }
}

/// Milliseconds since 1970 as `2026-01-31T12:00:00.123Z` (RFC 3339 §5.6).
pub fn timestamp(milliseconds: u64) -> String {
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 fall into eras of 400 years, 146,097 days each; March begins the year, so that the leap day ends it.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let text =
            table(&["NAME", "MOUNT"], &[vec!["blog".into(), "/".into()], vec!["a-long-name".into(), "/x".into()]]);
        assert_eq!(text, "NAME         MOUNT\nblog         /\na-long-name  /x\n");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(timestamp(1_772_323_199_999), "2026-02-28T23:59:59.999Z");
        assert_eq!(timestamp(1_795_464_038_493), "2026-11-23T20:00:38.493Z");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(17), "17 B");
        assert_eq!(bytes(327_680), "320.0 KiB");
        assert_eq!(bytes(1_468_006), "1.4 MiB");
    }
}
