//! SQLite's words. `regexp` and `covet_lower` are functions that `covet-db` gives every connection.
//!
//! `LIKE` is not used: on SQLite it folds the case of ASCII, always and only. `instr` compares as stored and needs no escapes.

mod functions;

use sea_query::{
    DeleteStatement, Expr, ExprTrait, Func, NullOrdering, SelectStatement, SqliteQueryBuilder, UpdateStatement, Values,
};

use super::{Dialect, Fill, Insertion, Words, listed};
use crate::bind::Code;
use crate::schema::Kind;
use crate::shape::Lookup;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

pub(super) struct Sqlite;

impl Words for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn select(&self, statement: &SelectStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn update(&self, statement: &UpdateStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn delete(&self, statement: &DeleteStatement) -> (String, Values) {
        statement.build(SqliteQueryBuilder)
    }

    fn insert(&self, insertion: &Insertion<'_>) -> String {
        let Insertion { table, columns, .. } = insertion;
        let mut sql = format!("INSERT INTO \"{table}\" ");
        if columns.is_empty() {
            sql.push_str("DEFAULT VALUES");
        } else {
            let marks = vec!["?"; columns.len()].join(", ");
            sql.push_str(&format!("({}) VALUES ({marks})", listed(columns.iter().map(|(name, _)| *name), '"')));
        }
        // Nothing follows DEFAULT VALUES, and rows without values have none that could conflict.
        if insertion.ignore_conflicts && !columns.is_empty() {
            sql.push_str(" ON CONFLICT DO NOTHING");
        }
        sql
    }

    fn no_limit(&self) -> Option<i64> {
        Some(-1)
    }

    fn nulls(&self, _descending: bool) -> Option<NullOrdering> {
        None
    }

    fn apart(&self, keys: SelectStatement, _key: &str) -> SelectStatement {
        keys
    }

    fn same(&self, left: Expr, code: Code, fill: &mut Fill<'_>, _total: bool) -> Expr {
        Expr::cust_with_exprs("? IS ?", [left, fill(code)])
    }

    fn member(&self, left: Expr, list: Expr, _total: bool) -> Expr {
        Expr::cust_with_exprs("? IN rarray(?)", [left, list])
    }

    fn contains(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("instr(?, ?) > 0", [fold(text, folded), needle])
    }

    fn begins(&self, text: Expr, fill: &mut Fill<'_>) -> Expr {
        text.clone().gte(fill(Code::PrefixLow)).and(text.lt(fill(Code::PrefixHigh)))
    }

    fn begins_folded(&self, text: Expr, needle: Expr) -> Expr {
        Expr::cust_with_exprs("instr(?, ?) = 1", [fold(text, true), needle])
    }

    fn ends(&self, text: Expr, needle: Expr, again: Expr, folded: bool) -> Expr {
        // Over bytes: `length` of a text stops at NUL, and a UTF-8 text ends with another exactly when their bytes do.
        let bytes = Expr::cust_with_expr("CAST(? AS BLOB)", fold(text.clone(), folded));
        // Of an empty blob `substr` is null.
        Expr::cust_with_exprs(
            "? IS NOT NULL AND ifnull(substr(?, length(?) - length(?) + 1), X'') = ?",
            [text, bytes.clone(), bytes, needle, again],
        )
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
}

fn fold(text: Expr, folded: bool) -> Expr {
    if folded { Func::cust("covet_lower").arg(text).into() } else { text }
}
