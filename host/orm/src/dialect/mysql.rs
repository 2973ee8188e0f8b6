//! MySQL's and MariaDB's words.
//!
//! Texts lie in a binary collation, which orders and compares code points; needles are bound as bytes, so that no collation
//! has a say. Cases fold by the tables of `utf8mb4_unicode_520_ci`, the newest that both products have: letters that Unicode got
//! a lower case for after version 5.2 keep their case. Regular expressions are those of PCRE on MariaDB, of ICU on MySQL.
//!
//! Two marks are for the driver: `/*list*/?` becomes as many placeholders as the list has values, or `NULL`, and `/*row*/(…)` as
//! many groups as there are rows; `/*ignore*/` says that rows which a unique key refuses are to be left out.

mod functions;

use sea_query::{
    Alias, DeleteStatement, Expr, ExprTrait, MysqlQueryBuilder, NullOrdering, Query, SelectStatement, UpdateStatement,
    Values,
};

use super::{Dialect, Fill, Insertion, Words, listed};
use crate::bind::Code;
use crate::schema::Kind;
use crate::shape::Lookup;

pub(super) struct MySql;

impl Words for MySql {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn select(&self, statement: &SelectStatement) -> (String, Values) {
        statement.build(MysqlQueryBuilder)
    }

    fn update(&self, statement: &UpdateStatement) -> (String, Values) {
        statement.build(MysqlQueryBuilder)
    }

    fn delete(&self, statement: &DeleteStatement) -> (String, Values) {
        statement.build(MysqlQueryBuilder)
    }

    fn insert(&self, insertion: &Insertion<'_>) -> String {
        let Insertion { table, columns, .. } = insertion;
        // INSERT IGNORE would also swallow rows that point nowhere, and cut what is too long.
        let ignore = if insertion.ignore_conflicts { "/*ignore*/ " } else { "" };
        let names = listed(columns.iter().map(|(name, _)| *name), '`');
        let marks = vec!["?"; columns.len()].join(", ");
        let row = if insertion.many { "/*row*/" } else { "" };
        format!("INSERT {ignore}INTO `{table}` ({names}) VALUES {row}({marks})")
    }

    fn no_limit(&self) -> Option<i64> {
        Some(i64::MAX)
    }

    fn nulls(&self, _descending: bool) -> Option<NullOrdering> {
        None
    }

    fn apart(&self, mut keys: SelectStatement, key: &str) -> SelectStatement {
        // A table can't be read by the statement that writes it, unless the rows are set aside first. DISTINCT, which changes
        // nothing among keys, keeps the optimizer from merging the two again.
        keys.distinct();
        let mut outer = Query::select();
        outer.column((Alias::new("found"), Alias::new(key)));
        outer.from_subquery(keys, Alias::new("found"));
        outer
    }

    fn same(&self, left: Expr, code: Code, fill: &mut Fill<'_>, _total: bool) -> Expr {
        Expr::cust_with_exprs("? <=> ?", [left, fill(code)])
    }

    fn member(&self, left: Expr, list: Expr, total: bool) -> Expr {
        // Of no values, it is `IN (NULL)`: null, which is as good as false until it is negated.
        let text = if total { "(? IN (/*list*/?)) IS TRUE" } else { "? IN (/*list*/?)" };
        Expr::cust_with_exprs(text, [left, list])
    }

    fn contains(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("LOCATE(?, ?) > 0", [needle, bytes(text, folded)])
    }

    fn begins(&self, text: Expr, fill: &mut Fill<'_>) -> Expr {
        Expr::cust_with_exprs("? LIKE ? ESCAPE '|'", [text, fill(Code::PrefixPattern)])
    }

    fn begins_folded(&self, text: Expr, needle: Expr) -> Expr {
        Expr::cust_with_exprs("LOCATE(?, ?) = 1", [needle, bytes(text, true)])
    }

    fn ends(&self, text: Expr, needle: Expr, again: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("RIGHT(?, LENGTH(?)) = ?", [bytes(text, folded), needle, again])
    }

    fn same_folded(&self, text: Expr, needle: Expr) -> Expr {
        bytes(text, true).eq(needle)
    }

    fn matches(&self, text: Expr, pattern: Expr) -> Expr {
        Expr::cust_with_exprs("? REGEXP ?", [text, pattern])
    }

    fn part(&self, _kind: &Kind, part: Lookup, moment: Expr) -> Expr {
        let text = match part {
            Lookup::Year => "CAST(YEAR(?) AS SIGNED)",
            Lookup::Month => "CAST(MONTH(?) AS SIGNED)",
            Lookup::Day => "CAST(DAYOFMONTH(?) AS SIGNED)",
            // WEEKDAY calls Monday 0, ISO calls it 1.
            Lookup::WeekDay => "CAST(WEEKDAY(?) + 1 AS SIGNED)",
            Lookup::Hour => "CAST(HOUR(?) AS SIGNED)",
            Lookup::Minute => "CAST(MINUTE(?) AS SIGNED)",
            _ => "CAST(SECOND(?) AS SIGNED)",
        };
        Expr::cust_with_exprs(text, [moment])
    }
}

/// A text as bytes; folded as the host folds what is looked for: lower case, and one sigma. The dotted capital I is the one
/// letter whose lower case is two, which these tables don't know.
fn bytes(text: Expr, folded: bool) -> Expr {
    let text_sql = if folded {
        "CAST(REPLACE(LOWER(REPLACE(CONVERT(? USING utf8mb4) COLLATE utf8mb4_unicode_520_ci, 'İ', 'i̇')), 'ς', 'σ') AS BINARY)"
    } else {
        "CAST(? AS BINARY)"
    };
    Expr::cust_with_exprs(text_sql, [text])
}
