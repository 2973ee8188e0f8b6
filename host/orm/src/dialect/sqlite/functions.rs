//! SQLite's words for values. `covet_…` are functions that `covet-db` gives every connection; moments are integers.

use sea_query::{Expr, Func};

use super::{DAY, Sqlite, fold};
use crate::dialect::functions::{Functions, Typed, plainly, unit};
use crate::schema::{DecimalSpec, Kind};
use crate::shape::{Aggregation, Arithmetic, Function};

impl Functions for Sqlite {
    fn write(&self, template: &str, values: Vec<Expr>) -> Expr {
        Expr::cust_with_exprs(template.to_owned(), values)
    }

    fn calculate(&self, arithmetic: Arithmetic, left: Typed, right: Typed, result: &Kind) -> Expr {
        let Kind::Decimal(DecimalSpec { digits, scale }) = result else {
            return plainly(arithmetic, left.expr, right.expr);
        };
        let operation = match arithmetic {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Modulo => "%",
        };
        let (a, b) = (places(&left.kind), places(&right.kind));
        Expr::cust_with_exprs(
            format!("covet_calculate('{operation}', ?, {a}, ?, {b}, {digits}, {scale})"),
            [left.expr, right.expr],
        )
    }

    fn cast(&self, value: Typed, to: &Kind) -> Expr {
        let Typed { expr, kind } = value;
        match (&kind, to) {
            (Kind::Decimal(from), Kind::Decimal(to)) => rescale("round", expr, from.scale, *to),
            (_, Kind::Decimal(to)) => rescale("round", expr, 0, *to),
            (Kind::Decimal(from), Kind::Int64) => rescale("cut", expr, from.scale, INTEGER),
            (Kind::Decimal(from), Kind::Float64) => with(format!("covet_real(?, {})", from.scale), expr),
            (Kind::Decimal(from), _) => with(format!("covet_decimal_text(?, {})", from.scale), expr),
            (Kind::Date, Kind::Datetime) => with(format!("(? * {DAY})"), expr),
            (Kind::Datetime, Kind::Date) => with(format!("(covet_start('day', ?) / {DAY})"), expr),
            // `%` keeps the dividend's sign; a moment before 1970 is brought to 0 <= µs of day.
            (Kind::Datetime, Kind::Time) => with(format!("((? % {DAY} + {DAY}) % {DAY})"), expr),
            (_, Kind::Float64) => with("CAST(? AS REAL)".to_owned(), expr),
            (_, Kind::Text) => with("CAST(? AS TEXT)".to_owned(), expr),
            (_, Kind::Int64) => with("CAST(? AS INTEGER)".to_owned(), expr),
            _ => expr,
        }
    }

    fn call(&self, function: Function, arguments: Vec<Typed>, result: &Kind) -> Expr {
        let kind = arguments.first().map_or(Kind::Int64, |first| first.kind.clone());
        let values: Vec<Expr> = arguments.into_iter().map(|argument| argument.expr).collect();
        let named = |name: &'static str, values: Vec<Expr>| Expr::from(Func::cust(name).args(values));
        let template = |text: &str, values: Vec<Expr>| Expr::cust_with_exprs(text.to_owned(), values);
        let decimal = match (&kind, result) {
            (Kind::Decimal(from), Kind::Decimal(to)) => Some((from.scale, *to)),
            _ => None,
        };
        let rescaled = |mode: &str, from: u8, to: DecimalSpec, values: Vec<Expr>| {
            template(&format!("covet_rescale('{mode}', ?, {from}, {}, {})", to.digits, to.scale), values)
        };
        match (function, decimal) {
            (Function::Lower, _) => named("covet_lower", values),
            (Function::Upper, _) => named("covet_upper", values),
            (Function::Length, _) => named("covet_length", values),
            (Function::Trim, _) => named("trim", values),
            (Function::TrimStart, _) => named("ltrim", values),
            (Function::TrimEnd, _) => named("rtrim", values),
            (Function::Substring, _) => named("covet_substring", values),
            (Function::Replace, _) => named("replace", values),
            (Function::Concat, _) => {
                let text = vec!["ifnull(?, '')"; values.len()].join(" || ");
                template(&format!("({text})"), values)
            }
            (Function::Greatest, _) => named("max", values),
            (Function::Least, _) => named("min", values),
            (Function::Absolute, Some((from, to))) => rescaled("absolute", from, to, values),
            (Function::Floor, Some((from, to))) => rescaled("floor", from, to, values),
            (Function::Ceiling, Some((from, to))) => rescaled("ceiling", from, to, values),
            (Function::Round, Some((from, to))) => {
                template(&format!("covet_round(?, {from}, ?, {})", to.digits), values)
            }
            (Function::Absolute, None) => named("abs", values),
            (Function::Floor | Function::Ceiling, None) if kind != Kind::Float64 => {
                values.into_iter().next().unwrap_or_else(|| Expr::cust("NULL"))
            }
            (Function::Floor, None) => named("covet_floor", values),
            (Function::Ceiling, None) => named("covet_ceiling", values),
            (Function::Round, None) => named("round", values),
            _ => of_moment(function, &kind, values),
        }
    }

    fn aggregate(
        &self,
        function: Aggregation,
        distinct: bool,
        value: Typed,
        result: &Kind,
        over: &dyn Fn(Expr) -> Expr,
    ) -> Expr {
        let decimal = matches!(value.kind, Kind::Decimal(_));
        let name = match (function, result) {
            (Aggregation::Count, _) => "COUNT",
            (Aggregation::Least, _) => "MIN",
            (Aggregation::Greatest, _) => "MAX",
            (Aggregation::Sum, _) if decimal => "covet_sum",
            (Aggregation::Sum, _) => "SUM",
            (Aggregation::Average, _) if decimal => "covet_average",
            (Aggregation::Average, Kind::Duration) => "covet_mean",
            (Aggregation::Average, _) => "AVG",
        };
        over(with(format!("{name}({}?)", if distinct { "DISTINCT " } else { "" }), value.expr))
    }

    fn fit(&self, value: Typed, field: &Kind) -> Expr {
        match field {
            Kind::Decimal(spec) => rescale("fit", value.expr, places(&value.kind), *spec),
            Kind::Varchar(most) => with(format!("covet_fit(?, {most})"), value.expr),
            // The column's check refuses what it can't hold.
            _ => value.expr,
        }
    }

    fn starts(&self, text: Expr, needle: Expr) -> Expr {
        Expr::cust_with_exprs("instr(?, ?) = 1", [text, needle])
    }

    fn finishes(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("covet_ends(?, ?)", [fold(text, folded), needle])
    }
}

/// An integer as a decimal.
const INTEGER: DecimalSpec = DecimalSpec { digits: covet_db::INTEGER_DIGITS, scale: 0 };

fn with(template: String, value: Expr) -> Expr {
    Expr::cust_with_exprs(template, [value])
}

fn places(kind: &Kind) -> u8 {
    match kind {
        Kind::Decimal(spec) => spec.scale,
        _ => 0,
    }
}

fn rescale(mode: &str, value: Expr, from: u8, to: DecimalSpec) -> Expr {
    with(format!("covet_rescale('{mode}', ?, {from}, {}, {})", to.digits, to.scale), value)
}

fn of_moment(function: Function, kind: &Kind, values: Vec<Expr>) -> Expr {
    let unit = unit(function).unwrap_or_default();
    let start = matches!(
        function,
        Function::StartOfYear
            | Function::StartOfQuarter
            | Function::StartOfMonth
            | Function::StartOfWeek
            | Function::StartOfDay
            | Function::StartOfHour
            | Function::StartOfMinute
            | Function::StartOfSecond
    );
    let template = match (start, kind) {
        (true, Kind::Date) => format!("(covet_start('{unit}', ? * {DAY}) / {DAY})"),
        (true, _) => format!("covet_start('{unit}', ?)"),
        (false, Kind::Date) => format!("covet_part('{unit}', ? * {DAY})"),
        (false, _) => format!("covet_part('{unit}', ?)"),
    };
    Expr::cust_with_exprs(template, values)
}
