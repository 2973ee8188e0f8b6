//! MySQL's and MariaDB's words for values. Durations are integers; computed texts compare by code points, but as these products
//! pad them, spaces at their ends do not count.

use sea_query::Expr;

use super::{MySql, bytes};
use crate::dialect::functions::{Functions, Typed, plainly, unit};
use crate::schema::Kind;
use crate::shape::{Aggregation, Arithmetic, Function};

impl Functions for MySql {
    fn write(&self, template: &str, values: Vec<Expr>) -> Expr {
        Expr::cust_with_exprs(template.to_owned(), values)
    }

    fn calculate(&self, arithmetic: Arithmetic, left: Typed, right: Typed, result: &Kind) -> Expr {
        let sign = if arithmetic == Arithmetic::Subtract { '-' } else { '+' };
        let (template, swapped) = match (result, &left.kind, arithmetic) {
            (Kind::Decimal(spec), _, Arithmetic::Multiply) => (format!("ROUND(? * ?, {})", spec.scale), false),
            // A quotient has four places more than its dividend, which are too few to round.
            (Kind::Decimal(spec), _, Arithmetic::Divide) => {
                (format!("ROUND(CAST(? AS DECIMAL(58, 20)) / NULLIF(?, 0), {})", spec.scale), false)
            }
            (Kind::Datetime, ..) => (format!("(? {sign} INTERVAL ? MICROSECOND)"), false),
            (Kind::Date, ..) => (format!("(? {sign} INTERVAL ? DAY)"), false),
            (Kind::Duration, Kind::Datetime, _) => ("TIMESTAMPDIFF(MICROSECOND, ?, ?)".to_owned(), true),
            (Kind::Int64, Kind::Date, _) => ("CAST(DATEDIFF(?, ?) AS SIGNED)".to_owned(), false),
            (Kind::Int64, _, Arithmetic::Divide) => ("(? DIV NULLIF(?, 0))".to_owned(), false),
            _ => return plainly(arithmetic, left.expr, right.expr),
        };
        let values = if swapped { vec![right.expr, left.expr] } else { vec![left.expr, right.expr] };
        self.write(&template, values)
    }

    fn cast(&self, value: Typed, to: &Kind) -> Expr {
        let text = match (&value.kind, to) {
            (_, Kind::Decimal(spec)) => format!("CAST(? AS DECIMAL({}, {}))", spec.digits, spec.scale),
            (Kind::Boolean, Kind::Int64) => "CAST(? AS SIGNED)".to_owned(),
            (_, Kind::Int64) => "CAST(TRUNCATE(?, 0) AS SIGNED)".to_owned(),
            (_, Kind::Float64) => "CAST(? AS DOUBLE)".to_owned(),
            (_, Kind::Text) => "(CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin)".to_owned(),
            (_, Kind::Datetime) => "CAST(? AS DATETIME(6))".to_owned(),
            (_, Kind::Date) => "CAST(? AS DATE)".to_owned(),
            (_, Kind::Time) => "CAST(? AS TIME(6))".to_owned(),
            _ => return value.expr,
        };
        self.write(&text, vec![value.expr])
    }

    fn call(&self, function: Function, arguments: Vec<Typed>, result: &Kind) -> Expr {
        let kind = arguments.first().map_or(Kind::Int64, |first| first.kind.clone());
        let count = arguments.len();
        let mut values: Vec<Expr> = arguments.into_iter().map(|argument| argument.expr).collect();
        let exact = |text: &str| match result {
            Kind::Decimal(spec) => format!("CAST({text} AS DECIMAL({}, {}))", spec.digits, spec.scale),
            _ => text.to_owned(),
        };
        let marks = |mark: &str| vec![mark; count].join(", ");
        let template = match function {
            Function::Lower => {
                values = values.into_iter().map(|text| bytes(text, true)).collect();
                "(CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin)".to_owned()
            }
            Function::Upper => {
                "(UPPER(CONVERT(? USING utf8mb4) COLLATE utf8mb4_unicode_520_ci) COLLATE utf8mb4_bin)".to_owned()
            }
            Function::Length => "CHAR_LENGTH(?)".to_owned(),
            Function::Trim => "TRIM(?)".to_owned(),
            Function::TrimStart => "LTRIM(?)".to_owned(),
            Function::TrimEnd => "RTRIM(?)".to_owned(),
            Function::Substring => "SUBSTRING(?, GREATEST(?, 1), GREATEST(?, 0))".to_owned(),
            Function::Replace => "REPLACE(?, ?, ?)".to_owned(),
            Function::Concat => format!("CONCAT({})", marks("COALESCE(?, '')")),
            Function::Greatest => format!("GREATEST({})", marks("?")),
            Function::Least => format!("LEAST({})", marks("?")),
            Function::Absolute => exact("ABS(?)"),
            Function::Floor => exact("FLOOR(?)"),
            Function::Ceiling => exact("CEILING(?)"),
            Function::Round => exact("ROUND(?, ?)"),
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
        // The average of integers is a decimal of four places.
        let value = match (function, result) {
            (Aggregation::Average, Kind::Float64) => self.write("CAST(? AS DOUBLE)", vec![value.expr]),
            _ => value.expr,
        };
        let computed = over(self.write(&format!("{name}({distinct}?)"), vec![value]));
        match (function, result) {
            (Aggregation::Sum, Kind::Int64 | Kind::Duration) => self.write("CAST(? AS SIGNED)", vec![computed]),
            (Aggregation::Average, Kind::Duration) => self.write("CAST(ROUND(?) AS SIGNED)", vec![computed]),
            (Aggregation::Sum | Aggregation::Average, Kind::Decimal(spec)) => {
                self.write(&format!("CAST(? AS DECIMAL({}, {}))", spec.digits, spec.scale), vec![computed])
            }
            _ => computed,
        }
    }

    fn fit(&self, value: Typed, _field: &Kind) -> Expr {
        // Storing rounds a decimal to the column's places; what is too long or too large fails.
        value.expr
    }

    fn starts(&self, text: Expr, needle: Expr) -> Expr {
        self.write("LOCATE(?, ?) = 1", vec![needle, bytes(text, false)])
    }

    fn finishes(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        self.write("RIGHT(?, LENGTH(?)) = ?", vec![bytes(text, folded), needle.clone(), needle])
    }
}

fn of_moment(function: Function, kind: &Kind) -> String {
    let part = match function {
        Function::Year => "YEAR(?)",
        Function::Quarter => "QUARTER(?)",
        Function::Month => "MONTH(?)",
        // Mode 3: weeks of ISO 8601.
        Function::Week => "WEEK(?, 3)",
        Function::Day => "DAYOFMONTH(?)",
        // WEEKDAY calls Monday 0, ISO calls it 1.
        Function::WeekDay => "WEEKDAY(?) + 1",
        Function::Hour => "HOUR(?)",
        Function::Minute => "MINUTE(?)",
        Function::Second => "SECOND(?)",
        _ => {
            // Whole units since a day that begins them all, a Monday.
            let unit = unit(function).unwrap_or_default().to_uppercase();
            let first = "TIMESTAMP'0001-01-01 00:00:00'";
            let to = if matches!(kind, Kind::Date) { "DATE" } else { "DATETIME(6)" };
            return format!("CAST(TIMESTAMPADD({unit}, TIMESTAMPDIFF({unit}, {first}, ?), {first}) AS {to})");
        }
    };
    format!("CAST({part} AS SIGNED)")
}
