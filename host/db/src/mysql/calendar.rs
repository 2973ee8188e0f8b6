//! Moments between the units of [`crate::Kind`] and the parts that MySQL speaks of. The calendar is the proleptic Gregorian
//! one; the arithmetic is that of <https://howardhinnant.github.io/date_algorithms.html>.

use std::fmt::Write;

const MICROS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Years that DATE and DATETIME hold. No row has one of year 0, but planners compare with its last moment, which is before
/// all of them.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9999;

/// A day of the calendar.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

fn civil(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
    }
}

/// Days since 1970-01-01.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Microseconds of a time of day, or of a TIME that is more than a day.
pub(super) fn micros(hours: i64, minutes: i64, seconds: i64, micros: i64) -> i64 {
    ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND + micros
}

/// `2024-02-29`; `None` outside the years that a DATE holds.
pub(super) fn date_text(days: i64) -> Option<String> {
    // Far more days than the years below, and no overflow above.
    if !(-1_000_000..=4_000_000).contains(&days) {
        return None;
    }
    let Civil { year, month, day } = civil(days);
    YEARS.contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// `23:59:59.000001`; `None` outside what a TIME holds.
pub(super) fn time_text(micros: i64) -> Option<String> {
    const LARGEST: i64 = 839 * 3600 * MICROS_PER_SECOND;
    if micros.unsigned_abs() >= LARGEST.unsigned_abs() {
        return None;
    }
    let sign = if micros < 0 { "-" } else { "" };
    let (seconds, fraction) = (micros.abs() / MICROS_PER_SECOND, micros.abs() % MICROS_PER_SECOND);
    Some(format!("{sign}{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// `2024-02-29 23:59:59.000001`; `None` outside the years that a DATETIME holds.
pub(super) fn moment_text(micros: i64) -> Option<String> {
    let mut text = date_text(micros.div_euclid(MICROS_PER_DAY))?;
    let time = time_text(micros.rem_euclid(MICROS_PER_DAY))?;
    let _written = write!(text, " {time}");
    Some(text)
}

/// Reads `2024-02-29`.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let mut next = || number(parts.next()?);
    let (year, month, day) = (next()?, next()?, next()?);
    (YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days(year, month, day))
}

/// Reads `-838:59:59.000001`, also without the fraction.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let mut parts = whole.splitn(3, ':');
    let mut next = || number(parts.next()?);
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    if fraction.len() > 6 || hours > 838 || minutes > 59 || seconds > 59 {
        return None;
    }
    let fraction = number(&format!("{fraction:0<6}"))?;
    let micros = micros(hours, minutes, seconds, fraction);
    Some(if negative { -micros } else { micros })
}

/// Reads `2024-02-29 23:59:59.000001`, also without the fraction or the time.
pub(super) fn parse_moment(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    Some(parse_date(date)? * MICROS_PER_DAY + parse_time(time)?)
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments_are_written_and_read() {
        for (micros, text) in [
            (0, "1970-01-01 00:00:00.000000"),
            (-1, "1969-12-31 23:59:59.999999"),
            (951_825_599_000_001, "2000-02-29 11:59:59.000001"),
            (-62_135_596_800_000_000, "0001-01-01 00:00:00.000000"),
            (-62_135_596_800_000_001, "0000-12-31 23:59:59.999999"),
            (253_402_300_799_999_999, "9999-12-31 23:59:59.999999"),
        ] {
            assert_eq!(moment_text(micros).unwrap(), text);
            assert_eq!(parse_moment(text), Some(micros), "{text}");
        }
        assert_eq!(parse_moment("1970-01-02"), Some(MICROS_PER_DAY));
        assert_eq!(parse_time("-00:00:00.5"), Some(-500_000));
        for beyond in [-62_167_219_200_000_001, 253_402_300_800_000_000, i64::MIN, i64::MAX] {
            assert_eq!(moment_text(beyond), None, "{beyond}");
        }
        assert_eq!(time_text(i64::MIN), None);
        assert_eq!(time_text(839 * 3_600_000_000 - 1).unwrap(), "838:59:59.999999");
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for bad in
            ["", "0000-00-00", "2024-13-01", "2024-1", "2024-01-01 25", "2024-01-01 00:00:60", "x-01-01", "+1-01-01"]
        {
            assert_eq!(parse_moment(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_round_trips(micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999) {
            prop_assert_eq!(parse_moment(&moment_text(micros).unwrap()), Some(micros));
        }
    }
}
