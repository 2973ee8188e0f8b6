//! PostgreSQL's words for values. Small integers and floats are widened before they are calculated with.

use sea_query::{Expr, Func};

use super::{Postgres, fold};
use crate::dialect::functions::{Functions, Typed, plainly, unit};
use crate::schema::Kind;
use crate::shape::{Aggregation, Arithmetic, Function};

impl Functions for Postgres {
    fn write(&self, template: &str, values: Vec<Expr>) -> Expr {
        let mut text = String::with_capacity(template.len() + 2 * values.len());
        let mut number = 0;
        for letter in template.chars() {
            text.push(if letter == '?' { '$' } else { letter });
            if letter == '?' {
                number += 1;
                text.push_str(&number.to_string());
            }
        }
        Expr::cust_with_exprs(text, values)
    }

    fn calculate(&self, arithmetic: Arithmetic, left: Typed, right: Typed, result: &Kind) -> Expr {
        let both = |text: &str, left: Typed, right: Typed| self.write(text, vec![left.expr, right.expr]);
        match (result, &left.kind, &right.kind, arithmetic) {
            (Kind::Decimal(spec), .., Arithmetic::Multiply) => {
                both(&format!("ROUND(? * ?, {})", spec.scale), left, right)
            }
            (Kind::Decimal(spec), .., Arithmetic::Divide) => {
                both(&format!("ROUND(? / NULLIF(?, 0), {})", spec.scale), left, right)
            }
            (Kind::Duration, Kind::Datetime, ..) => both(
                "CAST(CAST(EXTRACT(EPOCH FROM (? - ?)) * 1000000 AS BIGINT) || ' microseconds' AS INTERVAL)",
                left,
                right,
            ),
            (Kind::Duration, .., Arithmetic::Multiply) => both(
                "CAST(CAST(EXTRACT(EPOCH FROM ?) * 1000000 * ? AS BIGINT) || ' microseconds' AS INTERVAL)",
                left,
                right,
            ),
            (Kind::Date, .., Arithmetic::Subtract) => both("(? - CAST(? AS INTEGER))", left, right),
            (Kind::Date, ..) => both("(? + CAST(? AS INTEGER))", left, right),
            (Kind::Int64, Kind::Date, ..) => both("CAST(? - ? AS BIGINT)", left, right),
            _ => plainly(arithmetic, self.widened(left), self.widened(right)),
        }
    }

    fn cast(&self, value: Typed, to: &Kind) -> Expr {
        let text = match (&value.kind, to) {
            (_, Kind::Decimal(spec)) => format!("CAST(? AS NUMERIC({}, {}))", spec.digits, spec.scale),
            (Kind::Boolean, Kind::Int64) => "CAST(CAST(? AS INTEGER) AS BIGINT)".to_owned(),
            (_, Kind::Int64) => "CAST(TRUNC(?) AS BIGINT)".to_owned(),
            (_, Kind::Float64) => "CAST(? AS DOUBLE PRECISION)".to_owned(),
            (_, Kind::Text) => "CAST(? AS TEXT)".to_owned(),
            (Kind::Date, Kind::Datetime) => "(CAST(? AS TIMESTAMP) AT TIME ZONE 'UTC')".to_owned(),
            (_, Kind::Date) => "CAST(? AT TIME ZONE 'UTC' AS DATE)".to_owned(),
            (_, Kind::Time) => "CAST(? AT TIME ZONE 'UTC' AS TIME)".to_owned(),
            _ => return value.expr,
        };
        self.write(&text, vec![value.expr])
    }

    fn call(&self, function: Function, arguments: Vec<Typed>, result: &Kind) -> Expr {
        let kind = arguments.first().map_or(Kind::Int64, |first| first.kind.clone());
        let count = arguments.len();
        let values: Vec<Expr> = arguments.into_iter().map(|argument| argument.expr).collect();
        let exact = |text: &str| match result {
            Kind::Decimal(spec) => format!("CAST({text} AS NUMERIC({}, {}))", spec.digits, spec.scale),
            Kind::Int64 => format!("CAST({text} AS BIGINT)"),
            _ => text.to_owned(),
        };
        let template = match function {
            Function::Lower => {
                let folded = values.into_iter().next().map(|text| fold(text, true));
                return self.write("(? COLLATE \"C\")", folded.into_iter().collect());
            }
            Function::Upper => "(upper(? COLLATE \"und-x-icu\") COLLATE \"C\")".to_owned(),
            Function::Length => "CAST(length(?) AS BIGINT)".to_owned(),
            Function::Trim => "btrim(?)".to_owned(),
            Function::TrimStart => "ltrim(?)".to_owned(),
            Function::TrimEnd => "rtrim(?)".to_owned(),
            Function::Substring => {
                "substr(?, CAST(GREATEST(?, 1) AS INTEGER), CAST(GREATEST(?, 0) AS INTEGER))".to_owned()
            }
            Function::Replace => "replace(?, ?, ?)".to_owned(),
            Function::Concat => return Func::cust("concat").args(values).into(),
            // Its own GREATEST and LEAST leave nulls out.
            Function::Greatest | Function::Least => {
                let name = if function == Function::Greatest { "MAX" } else { "MIN" };
                let rows = vec!["(?)"; count].join(", ");
                format!("(SELECT CASE WHEN COUNT(v) = {count} THEN {name}(v) END FROM (VALUES {rows}) AS given (v))")
            }
            Function::Absolute => exact("ABS(?)"),
            Function::Floor | Function::Ceiling if matches!(kind, Kind::Int16 | Kind::Int32 | Kind::Int64) => {
                "CAST(? AS BIGINT)".to_owned()
            }
            Function::Floor => exact("FLOOR(?)"),
            Function::Ceiling => exact("CEILING(?)"),
            Function::Round if matches!(kind, Kind::Decimal(_)) => exact("ROUND(?, CAST(? AS INTEGER))"),
            Function::Round => "CAST(ROUND(CAST(? AS NUMERIC), CAST(? AS INTEGER)) AS DOUBLE PRECISION)".to_owned(),
            _ => of_moment(function, &kind),
        };
        self.write(&template, values)
    }

    fn aggregate(
        &self,
        function: Aggregation,
        distinct: bool,
        value: Typed,
        result: &Kind,
        over: &dyn Fn(Expr) -> Expr,
    ) -> Expr {
        let distinct = if distinct { "DISTINCT " } else { "" };
        let name = match function {
            Aggregation::Count => "COUNT",
            Aggregation::Sum => "SUM",
            Aggregation::Average => "AVG",
            Aggregation::Least => "MIN",
            Aggregation::Greatest => "MAX",
        };
        let value = if *result == Kind::Float64 { self.widened(value) } else { value.expr };
        let computed = over(self.write(&format!("{name}({distinct}?)"), vec![value]));
        match (function, result) {
            (Aggregation::Sum, Kind::Int64) => self.write("CAST(? AS BIGINT)", vec![computed]),
            (Aggregation::Average, Kind::Float64) => self.write("CAST(? AS DOUBLE PRECISION)", vec![computed]),
            (Aggregation::Sum | Aggregation::Average, Kind::Decimal(spec)) => {
                self.write(&format!("CAST(? AS NUMERIC({}, {}))", spec.digits, spec.scale), vec![computed])
            }
            _ => computed,
        }
    }

    fn fit(&self, value: Typed, field: &Kind) -> Expr {
        match field {
            Kind::Decimal(spec) => {
                self.write(&format!("CAST(? AS NUMERIC({}, {}))", spec.digits, spec.scale), vec![value.expr])
            }
            // An assignment is no explicit cast: what is too long or too large fails.
            _ => value.expr,
        }
    }

    fn starts(&self, text: Expr, needle: Expr) -> Expr {
        self.write("starts_with(?, ?)", vec![text, needle])
    }

    fn finishes(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        self.write("right(?, length(?)) = ?", vec![fold(text, folded), needle.clone(), needle])
    }

    fn count_of_rows(&self, count: Expr) -> Expr {
        self.write("CAST(? AS INTEGER)", vec![count])
    }

    fn direction(&self, descending: bool) -> &'static str {
        if descending { " DESC NULLS LAST" } else { " NULLS FIRST" }
    }
}

impl Postgres {
    /// In 64 bits: a sum of two small integers is none.
    fn widened(&self, value: Typed) -> Expr {
        match value.kind {
            Kind::Int16 | Kind::Int32 => self.write("CAST(? AS BIGINT)", vec![value.expr]),
            Kind::Float32 => self.write("CAST(? AS DOUBLE PRECISION)", vec![value.expr]),
            _ => value.expr,
        }
    }
}

fn of_moment(function: Function, kind: &Kind) -> String {
    let unit = unit(function).unwrap_or_default();
    let starts = !matches!(
        function,
        Function::Year
            | Function::Quarter
            | Function::Month
            | Function::Week
            | Function::Day
            | Function::WeekDay
            | Function::Hour
            | Function::Minute
            | Function::Second
    );
    if starts {
        return match kind {
            Kind::Date => format!("CAST(date_trunc('{unit}', CAST(? AS TIMESTAMP)) AS DATE)"),
            _ => format!("date_trunc('{unit}', ?, 'UTC')"),
        };
    }
    let unit = if unit == "week-day" { "ISODOW" } else { unit };
    let zone = if matches!(kind, Kind::Datetime) { " AT TIME ZONE 'UTC'" } else { "" };
    // A second comes with its fraction.
    format!("CAST(FLOOR(EXTRACT({unit} FROM ?{zone})) AS BIGINT)")
}
