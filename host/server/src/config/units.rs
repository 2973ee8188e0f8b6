//! Durations and sizes as people write them: `250ms`, `5s`, `64MiB`, `10 MB`.

use std::time::Duration;

/// Splits `64MiB` into number and unit.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (!number.is_empty()).then(|| (number, unit.trim()))
}

/// A duration: a whole number and one of `us`, `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: &str = "write a number and a unit: \"250ms\", \"5s\", \"5m\", \"1h\", \"7d\"";
    let (number, unit) = split(text).ok_or_else(|| format!("\"{text}\" is not a duration; {UNITS}"))?;
    let number: u64 = number
        .replace('_', "")
        .parse()
        .map_err(|_| format!("\"{text}\" is not a whole number of anything; {UNITS}"))?;
    let micros: u64 = match unit {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        "" => return Err(format!("\"{text}\" has no unit; {UNITS}")),
        other => return Err(format!("\"{other}\" is not a unit of time; {UNITS}")),
    };
    number.checked_mul(micros).map(Duration::from_micros).ok_or_else(|| format!("\"{text}\" is too long; {UNITS}"))
}

/// A size in bytes: a whole number and one of `B`, `kB`, `MB`, `GB` (thousands) or `KiB`, `MiB`, `GiB` (1,024).
///
/// # Errors
/// What is wrong, and what would be right.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: &str = "write a number and a unit: \"64MiB\" (of 1,024) or \"10 MB\" (of 1,000)";
    let (number, unit) = split(text).ok_or_else(|| format!("\"{text}\" is not a size; {UNITS}"))?;
    let number: u64 = number
        .replace('_', "")
        .parse()
        .map_err(|_| format!("\"{text}\" is not a whole number of anything; {UNITS}"))?;
    let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "" => return Err(format!("\"{text}\" has no unit; {UNITS}")),
        _ => return Err(format!("\"{unit}\" is not a unit of size; {UNITS}")),
    };
    number.checked_mul(bytes).ok_or_else(|| format!("\"{text}\" is too large; {UNITS}"))
}

/// The candidate that `word` was probably meant to be: at most a third of its letters are wrong.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(word.chars().count()).div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance: insertions, deletions, replacements and swaps of neighbours (optimal string alignment). Case and the
/// difference between `-` and `_` cost nothing.
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (left, right) = (letters(left), letters(right));
    let width = right.len() + 1;
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..width).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1; width];
        for (j, b) in right.iter().enumerate() {
            let mut cost = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            next[j + 1] = cost;
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5 s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1_000us"), Ok(Duration::from_millis(1)));
        for bad in ["", "5", "s", "5x", "1.5s", "-1s", "99999999999999999999s", "9999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("10 MB"), Ok(10_000_000));
        assert_eq!(size("512b"), Ok(512));
        for bad in ["", "64", "64M", "MiB", "1.5GiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_nearest_key_is_found_and_a_stranger_is_not_guessed() {
        let keys = ["deadline", "memory", "concurrency", "max_requests"];
        assert_eq!(nearest("deadlin", keys), Some("deadline"));
        assert_eq!(nearest("Max-Request", keys), Some("max_requests"));
        assert_eq!(nearest("memroy", keys), Some("memory"));
        assert_eq!(nearest("colour", keys), None);
    }
}
