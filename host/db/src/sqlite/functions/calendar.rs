//! Parts of moments and beginnings of units, in UTC, by the proleptic Gregorian calendar.
//!
//! - `covet_part(unit, moment)`: an integer;
//! - `covet_start(unit, moment)`: the moment that its unit began at.
//!
//! Moments are microseconds since 1970-01-01T00:00:00Z. Weeks are those of ISO 8601: they begin on Monday, and week 1 has the
//! year's first Thursday.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Result};

use super::function_error;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub(super) fn register(connection: &Connection, flags: FunctionFlags) -> Result<()> {
    connection.create_scalar_function(c"covet_part", 2, flags, |context| of_moment(context, part))?;
    connection.create_scalar_function(c"covet_start", 2, flags, |context| of_moment(context, start))
}

fn of_moment(context: &Context<'_>, function: fn(&str, i64) -> Option<i64>) -> Result<Option<i64>> {
    let moment: Option<i64> = context.get(1)?;
    let Some(moment) = moment else {
        return Ok(None);
    };
    let unit: String = context.get(0)?;
    function(&unit, moment).map(Some).ok_or_else(|| function_error("no such unit of time"))
}

/// Year, month (1 to 12) and day (1 to 31) of a day since 1970-01-01.
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.)
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day since 1970-01-01 of the first of a month (`days_from_civil`).
fn first_of(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Monday 1 to Sunday 7; 1970-01-01 was a Thursday.
fn week_day(day: i64) -> i64 {
    (day + 3).rem_euclid(7) + 1
}

fn part(unit: &str, moment: i64) -> Option<i64> {
    let (day, of_day) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
    let (year, month, day_of_month) = civil(day);
    Some(match unit {
        "year" => year,
        "quarter" => (month + 2) / 3,
        "month" => month,
        "week" => {
            // The week belongs to the year that its Thursday lies in.
            let thursday = day - week_day(day) + 4;
            (thursday - first_of(civil(thursday).0, 1)) / 7 + 1
        }
        "day" => day_of_month,
        "week-day" => week_day(day),
        "hour" => of_day / HOUR,
        "minute" => of_day / MINUTE % 60,
        "second" => of_day / SECOND % 60,
        _ => return None,
    })
}

fn start(unit: &str, moment: i64) -> Option<i64> {
    let day = moment.div_euclid(DAY);
    let (year, month, _) = civil(day);
    let whole = |length: i64| moment.div_euclid(length).checked_mul(length);
    match unit {
        "year" => first_of(year, 1).checked_mul(DAY),
        "quarter" => first_of(year, (month - 1) / 3 * 3 + 1).checked_mul(DAY),
        "month" => first_of(year, month).checked_mul(DAY),
        "week" => (day - week_day(day) + 1).checked_mul(DAY),
        "day" => whole(DAY),
        "hour" => whole(HOUR),
        "minute" => whole(MINUTE),
        "second" => whole(SECOND),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29T13:14:15.5Z, a Thursday of week 9.
    const LEAP: i64 = 19_782 * DAY + 13 * HOUR + 14 * MINUTE + 15 * SECOND + 500_000;

    #[test]
    fn parts_are_those_of_the_calendar() {
        let units = ["year", "quarter", "month", "week", "day", "week-day", "hour", "minute", "second"];
        let all = |moment| units.map(|unit| part(unit, moment).unwrap());
        assert_eq!(all(LEAP), [2024, 1, 2, 9, 29, 4, 13, 14, 15]);
        assert_eq!(all(-1), [1969, 4, 12, 1, 31, 3, 23, 59, 59]);
        assert_eq!(part("month", i64::MIN), part("month", i64::MIN), "no panic at the ends");
        assert_eq!(part("fortnight", 0), None);
        // 2021-01-03 is the Sunday of week 53 of 2020; 2024-12-30 the Monday of week 1 of 2025.
        assert_eq!(part("week", 18_630 * DAY), Some(53));
        assert_eq!(part("week", 20_087 * DAY), Some(1));
    }

    #[test]
    fn a_unit_starts_at_or_before_the_moment_and_keeps_its_parts() {
        for (unit, wanted) in [
            ("year", 19_723 * DAY),
            ("quarter", 19_723 * DAY),
            ("month", 19_754 * DAY),
            ("week", 19_779 * DAY),
            ("day", 19_782 * DAY),
            ("hour", 19_782 * DAY + 13 * HOUR),
            ("second", LEAP - 500_000),
        ] {
            assert_eq!(start(unit, LEAP), Some(wanted), "{unit}");
        }
        assert_eq!(start("day", -1), Some(-DAY));
        assert_eq!(start("year", i64::MIN), None);
    }

    #[test]
    fn every_day_of_four_centuries_is_the_one_after_the_day_before() {
        let mut before = civil(-200_000);
        for day in -199_999..=200_000 {
            let (year, month, of_month) = civil(day);
            let next = (year, month, of_month) == (before.0, before.1, before.2 + 1);
            let turned = of_month == 1 && first_of(year, month) == day;
            assert!(next || turned, "{day}");
            before = (year, month, of_month);
        }
    }
}
