//! Exact decimals in SQL: both stored forms (see [`crate::decimal`]) in, the one that is asked for out.
//!
//! - `covet_calculate(operation, a, scale of a, b, scale of b, digits, scale)`;
//! - `covet_rescale(mode, a, scale of a, digits, scale)`, also of absolute values, and of integers as decimals of scale 0;
//! - `covet_round(a, scale, places, digits)`: the same scale, zeros behind so many places;
//! - `covet_floor(x)`, `covet_ceiling(x)` of floats;
//! - `covet_real(a, scale)`, `covet_decimal_text(a, scale)`;
//! - aggregates and window functions `covet_sum(a)` (38 digits, same scale), `covet_average(a)` (38 digits, four more behind
//!   the point) and `covet_mean(a)` (an integer).
//!
//! Results are rounded half away from zero. One past its digits is a violated constraint, never another number.

use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Result};

use super::{function_error, past};
use crate::{INTEGER_DIGITS, MAX_DIGITS, format_decimal, ordered_text, parse_ordered};

/// Digits behind the point that an average has besides those of its values.
const AVERAGE_PLACES: u32 = 4;

pub(super) fn register(connection: &Connection, flags: FunctionFlags) -> Result<()> {
    connection.create_scalar_function(c"covet_calculate", 7, flags, calculate)?;
    connection.create_scalar_function(c"covet_rescale", 5, flags, rescale)?;
    connection.create_scalar_function(c"covet_round", 4, flags, round)?;
    connection.create_scalar_function(c"covet_floor", 1, flags, |context| of_float(context, f64::floor))?;
    connection.create_scalar_function(c"covet_ceiling", 1, flags, |context| of_float(context, f64::ceil))?;
    connection.create_scalar_function(c"covet_real", 2, flags, real)?;
    connection.create_scalar_function(c"covet_decimal_text", 2, flags, text)?;
    connection.create_window_function(c"covet_sum", 1, flags, Total(sum))?;
    connection.create_window_function(c"covet_average", 1, flags, Total(average))?;
    connection.create_window_function(c"covet_mean", 1, flags, Total(mean))
}

/// A decimal without its point; none for null.
fn unscaled(value: ValueRef<'_>) -> Result<Option<i128>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(value) => Ok(Some(i128::from(value))),
        ValueRef::Text(text) => {
            let digits = u8::try_from(text.len().saturating_sub(1)).unwrap_or(u8::MAX);
            parse_ordered(text, digits)
                .map(Some)
                .ok_or_else(|| function_error("a stored text is not a decimal; correct the row"))
        }
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(function_error("a decimal was expected")),
    }
}

/// In the form that a column of `digits` digits stores.
fn stored(value: i128, digits: u8) -> Result<Stored> {
    if value.unsigned_abs() >= 10_u128.pow(u32::from(digits.min(MAX_DIGITS))) {
        return Err(too_long(digits));
    }
    Ok(match i64::try_from(value) {
        Ok(small) if digits <= INTEGER_DIGITS => Stored::Integer(small),
        _ => Stored::Text(ordered_text(value, digits)),
    })
}

fn too_long(digits: u8) -> rusqlite::Error {
    past(format!("a computed decimal has more than {digits} digits"))
}

fn ten_to(power: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(power))
}

/// The quotient, rounded half away from zero; none for a divisor of zero or past 128 bits.
fn quotient(dividend: i128, divisor: i128) -> Option<i128> {
    let (whole, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    // Twice the rest against the divisor, without doubling.
    let up = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs();
    if rest == 0 || !up {
        return Some(whole);
    }
    whole.checked_add(if (dividend < 0) == (divisor < 0) { 1 } else { -1 })
}

/// From one scale to another.
fn scaled(value: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from { value.checked_mul(ten_to(to - from)?) } else { quotient(value, ten_to(from - to)?) }
}

fn calculate(context: &mut Context<'_>) -> Result<Stored> {
    let (Some(a), Some(b)) = (unscaled(context.get_raw(1))?, unscaled(context.get_raw(3))?) else {
        return Ok(Stored::Null);
    };
    let (a_scale, b_scale): (u8, u8) = (context.get(2)?, context.get(4)?);
    let (digits, scale): (u8, u8) = (context.get(5)?, context.get(6)?);
    let operation: String = context.get(0)?;
    let value = match operation.as_str() {
        "+" | "-" | "%" => {
            let common = a_scale.max(b_scale);
            let (Some(a), Some(b)) = (scaled(a, a_scale, common), scaled(b, b_scale, common)) else {
                return Err(too_long(digits));
            };
            let value = match operation.as_str() {
                "+" => a.checked_add(b),
                "-" => a.checked_sub(b),
                _ if b == 0 => return Ok(Stored::Null),
                _ => a.checked_rem(b),
            };
            value.and_then(|value| scaled(value, common, scale))
        }
        "*" => a.checked_mul(b).and_then(|value| scaled(value, a_scale + b_scale, scale)),
        "/" if b == 0 => return Ok(Stored::Null),
        // a / 10^a_scale / (b / 10^b_scale) * 10^scale
        "/" => {
            let up = i32::from(scale) + i32::from(b_scale) - i32::from(a_scale);
            let shift = u8::try_from(up.unsigned_abs()).ok().and_then(ten_to);
            shift.and_then(|shift| {
                if up >= 0 { quotient(a.checked_mul(shift)?, b) } else { quotient(a, b.checked_mul(shift)?) }
            })
        }
        _ => return Err(function_error("covet_calculate knows +, -, *, / and %")),
    };
    stored(value.ok_or_else(|| too_long(digits))?, digits)
}

/// Modes: `round` (half away from zero), `cut` (towards zero), `floor`, `ceiling`, `absolute`; `fit` rounds for a column whose
/// check refuses what is past its digits, and names it.
fn rescale(context: &mut Context<'_>) -> Result<Stored> {
    let mode: String = context.get(0)?;
    let (from, digits, scale): (u8, u8, u8) = (context.get(2)?, context.get(3)?, context.get(4)?);
    let Some(value) = unscaled(context.get_raw(1))? else {
        return Ok(Stored::Null);
    };
    let value = match mode.as_str() {
        "absolute" => value.checked_abs().and_then(|value| scaled(value, from, scale)),
        "round" | "fit" => scaled(value, from, scale),
        _ if from <= scale => scaled(value, from, scale),
        other => ten_to(from - scale).and_then(|unit| {
            let (whole, rest) = (value.checked_div(unit)?, value.checked_rem(unit)?);
            whole.checked_add(match other {
                "floor" if rest < 0 => -1,
                "ceiling" if rest > 0 => 1,
                _ => 0,
            })
        }),
    };
    let value = value.ok_or_else(|| too_long(digits)).and_then(|value| stored(value, digits));
    if value.is_err() && mode == "fit" && digits <= INTEGER_DIGITS {
        // A text is above any number.
        return Ok(Stored::Text("past its digits".to_owned()));
    }
    value
}

fn round(context: &mut Context<'_>) -> Result<Stored> {
    let (scale, digits): (u8, u8) = (context.get(1)?, context.get(3)?);
    let places: Option<i64> = context.get(2)?;
    let (Some(value), Some(places)) = (unscaled(context.get_raw(0))?, places) else {
        return Ok(Stored::Null);
    };
    // Places below zero are those before the point; past all digits nothing is left.
    let cut = i64::from(scale).saturating_sub(places);
    let value = match u8::try_from(cut.max(0)).ok().and_then(ten_to) {
        Some(unit) => quotient(value, unit).and_then(|whole| whole.checked_mul(unit)),
        None => Some(0),
    };
    stored(value.ok_or_else(|| too_long(digits))?, digits)
}

fn of_float(context: &Context<'_>, function: fn(f64) -> f64) -> Result<Option<f64>> {
    let value: Option<f64> = context.get(0)?;
    Ok(value.map(function))
}

fn real(context: &mut Context<'_>) -> Result<Option<f64>> {
    let scale: u8 = context.get(1)?;
    let Some(value) = unscaled(context.get_raw(0))? else {
        return Ok(None);
    };
    // The nearest float, which a division of two floats would not always be.
    format_decimal(value, scale).parse().map(Some).map_err(|_| function_error("a decimal has no float"))
}

fn text(context: &mut Context<'_>) -> Result<Option<String>> {
    let scale: u8 = context.get(1)?;
    Ok(unscaled(context.get_raw(0))?.map(|value| format_decimal(value, scale)))
}

/// What a sum over decimals ends as.
struct Total(fn(Sum) -> Result<Stored>);

#[derive(Clone, Copy, Default)]
struct Sum {
    sum: i128,
    count: i64,
}

impl Sum {
    fn add(&mut self, value: ValueRef<'_>, sign: i64) -> Result<()> {
        if let Some(value) = unscaled(value)? {
            let signed = value.checked_mul(i128::from(sign));
            self.sum = signed.and_then(|value| self.sum.checked_add(value)).ok_or_else(|| too_long(MAX_DIGITS))?;
            self.count += sign;
        }
        Ok(())
    }
}

fn sum(of: Sum) -> Result<Stored> {
    if of.count == 0 { Ok(Stored::Null) } else { stored(of.sum, MAX_DIGITS) }
}

fn average(of: Sum) -> Result<Stored> {
    if of.count == 0 {
        return Ok(Stored::Null);
    }
    let more = 10_i128.pow(AVERAGE_PLACES);
    let value = of.sum.checked_mul(more).and_then(|sum| quotient(sum, i128::from(of.count)));
    stored(value.ok_or_else(|| too_long(MAX_DIGITS))?, MAX_DIGITS)
}

fn mean(of: Sum) -> Result<Stored> {
    let value = quotient(of.sum, i128::from(of.count)).and_then(|value| i64::try_from(value).ok());
    Ok(value.map_or(Stored::Null, Stored::Integer))
}

impl Aggregate<Sum, Stored> for Total {
    fn init(&self, _: &mut Context<'_>) -> Result<Sum> {
        Ok(Sum::default())
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Sum) -> Result<()> {
        sum.add(context.get_raw(0), 1)
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Sum>) -> Result<Stored> {
        (self.0)(sum.unwrap_or_default())
    }
}

impl WindowAggregate<Sum, Stored> for Total {
    fn value(&self, sum: Option<&mut Sum>) -> Result<Stored> {
        (self.0)(sum.map(|sum| *sum).unwrap_or_default())
    }

    fn inverse(&self, context: &mut Context<'_>, sum: &mut Sum) -> Result<()> {
        sum.add(context.get_raw(0), -1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        for (a, b, wanted) in
            [(5, 2, 3), (-5, 2, -3), (5, -2, -3), (-5, -2, 3), (4, 3, 1), (2, 3, 1), (1, 3, 0), (0, 7, 0)]
        {
            assert_eq!(quotient(a, b), Some(wanted), "{a} / {b}");
        }
        assert_eq!(quotient(1, 0), None);
        assert_eq!(quotient(i128::MIN, -1), None);
    }

    proptest! {
        #[test]
        fn a_quotient_is_never_further_than_half(a in any::<i64>(), b in any::<i64>().prop_filter("no zero", |b| *b != 0)) {
            let (a, b) = (i128::from(a), i128::from(b));
            let off = (quotient(a, b).unwrap() * b - a).unsigned_abs();
            prop_assert!(2 * off <= b.unsigned_abs());
        }
    }
}
