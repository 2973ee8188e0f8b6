//! Values as SQL text, in forms that PostgreSQL and MySQL share.

/// Between quotes; a backslash is a plain character only where the dialect says so.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text between quotes; what is not quoted is its own text.
pub(super) fn unquoted(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// Days since 1970-01-01 as `2024-02-29`: the proleptic Gregorian calendar, after Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>). Years 1 to 9999, which four digits hold.
pub(super) fn date(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Microseconds since 1970-01-01T00:00:00Z as `2024-02-29 13:14:15.000001`.
pub(super) fn moment(at: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    format!("{} {}", date(at.div_euclid(DAY)), time(at.rem_euclid(DAY)))
}

/// Microseconds as `13:14:15.000001`, of a day or of a duration, which may have more hours and a sign.
pub(super) fn time(microseconds: i64) -> String {
    let sign = if microseconds < 0 { "-" } else { "" };
    let all = microseconds.unsigned_abs();
    let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
    let text = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { text } else { format!("{text}.{fraction:06}") }
}

/// 16 bytes as `00112233-4455-6677-8899-aabbccddeeff`.
pub(super) fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = hex(bytes);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!((date(-719_162), date(2_932_896)), ("0001-01-01".to_owned(), "9999-12-31".to_owned()));
        assert_eq!(moment(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(moment(253_402_300_799_999_999), "9999-12-31 23:59:59.999999");
        assert_eq!(time(-1_000_000), "-00:00:01");
        assert_eq!(time(i64::MIN), "-2562047788:00:54.775808");
    }

    #[test]
    fn texts_go_into_quotes_and_come_out() {
        for text in ["", "it's", "''", "(a)"] {
            assert_eq!(unquoted(&quoted(text)), text);
        }
        assert_eq!(uuid(&[0xAB; 16]), "abababab-abab-abab-abab-abababababab");
    }
}
