//! SQLite's words. `regexp` and `covet_lower` are functions that `covet-db` gives every connection.
//!
//! `LIKE` is not used: on SQLite it folds the case of ASCII, always and only. `instr` compares as stored and needs no escapes.

use sea_query::{
    DeleteStatement, Expr, ExprTrait, Func, InsertStatement, SelectStatement, SqliteQueryBuilder, UpdateStatement,
    Values,
};

use super::Words;
use crate::decimal::ten_to;
use crate::schema::Kind;
use crate::shape::Lookup;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

pub(super) struct Sqlite;

impl Words for Sqlite {
    fn select(&self, statement: &SelectStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn insert(&self, statement: &InsertStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn update(&self, statement: &UpdateStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn delete(&self, statement: &DeleteStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn no_limit(&self) -> Option<i64> {
        Some(-1)
    }

    fn same(&self, left: Expr, right: Expr) -> Expr {
        Expr::cust_with_exprs("? IS ?", [left, right])
    }

    fn member(&self, left: Expr, list: Expr) -> Expr {
        Expr::cust_with_exprs("? IN rarray(?)", [left, list])
    }

    fn contains(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("instr(?, ?) > 0", [fold(text, folded), needle])
    }

    fn begins_folded(&self, text: Expr, needle: Expr) -> Expr {
        Expr::cust_with_exprs("instr(?, ?) = 1", [fold(text, true), needle])
    }

    fn ends(&self, text: Expr, needle: Expr, again: Expr, folded: bool) -> Expr {
        // Over bytes: `length` of a text stops at NUL, and a UTF-8 text ends with another exactly when their bytes do.
        let bytes = Expr::cust_with_expr("CAST(? AS BLOB)", fold(text, folded));
        Expr::cust_with_exprs("substr(?, length(?) - length(?) + 1) = ?", [bytes.clone(), bytes, needle, again])
    }

    fn same_folded(&self, text: Expr, needle: Expr) -> Expr {
        fold(text, true).eq(needle)
    }

    fn matches(&self, text: Expr, pattern: Expr) -> Expr {
        Expr::cust_with_exprs("? REGEXP ?", [text, pattern])
    }

    fn part(&self, kind: &Kind, part: Lookup, moment: Expr) -> Expr {
        // `%` keeps the dividend's sign, so a moment before 1970 is first brought to 0 <= µs of day < DAY.
        let of_day = |moment: Expr| match kind {
            Kind::Datetime => Expr::cust_with_expr(format!("((? % {DAY} + {DAY}) % {DAY})"), moment),
            _ => moment,
        };
        let days = |moment: Expr| match kind {
            Kind::Datetime => Expr::cust_with_exprs(format!("((? - ?) / {DAY})"), [moment.clone(), of_day(moment)]),
            _ => moment,
        };
        let strftime = |format: &str, moment: Expr| {
            Expr::cust_with_expr(format!("CAST(strftime('{format}', ? * 86400, 'unixepoch') AS INTEGER)"), days(moment))
        };
        match part {
            Lookup::Year => strftime("%Y", moment),
            Lookup::Month => strftime("%m", moment),
            Lookup::Day => strftime("%d", moment),
            // 1970-01-01 was a Thursday, ISO day 4.
            Lookup::WeekDay => Expr::cust_with_expr("(((? + 3) % 7 + 7) % 7 + 1)", days(moment)),
            Lookup::Hour => Expr::cust_with_expr("(? / 3600000000)", of_day(moment)),
            Lookup::Minute => Expr::cust_with_expr("(? / 60000000 % 60)", of_day(moment)),
            _ => Expr::cust_with_expr("(? / 1000000 % 60)", of_day(moment)),
        }
    }

    fn decimal_product(&self, column: Expr, factor: &mut dyn FnMut() -> Expr, scale: u8) -> Expr {
        let unit = ten_to(scale);
        if unit == 1 {
            return column.mul(factor());
        }
        let half = unit / 2;
        // A product past 64 bits becomes REAL in SQLite; text instead is above any number, so the column's check refuses it.
        Expr::cust_with_exprs(
            format!(
                "CASE typeof(? * ?) WHEN 'integer' THEN (? * ? + CASE WHEN ? * ? < 0 THEN -{half} ELSE {half} END) / {unit} \
                 WHEN 'null' THEN NULL ELSE 'past 64 bits' END"
            ),
            [column.clone(), factor(), column.clone(), factor(), column, factor()],
        )
    }
}

fn fold(text: Expr, folded: bool) -> Expr {
    if folded { Func::cust("covet_lower").arg(text).into() } else { text }
}
