//! PostgreSQL's words.
//!
//! Texts lie in collation "C", which orders and compares bytes but folds only ASCII; cases are therefore folded by ICU's root
//! collation, which a server that was built with ICU has. Regular expressions are PostgreSQL's own (ARE): a dot also matches a
//! line break, back references and look-ahead exist, and `\pL` does not.

mod functions;

use covet_db::Kind as Stored;
use sea_query::{
    DeleteStatement, Expr, ExprTrait, NullOrdering, PostgresQueryBuilder, SelectStatement, UpdateStatement, Values,
};

use super::{Dialect, Fill, Insertion, Words, listed};
use crate::bind::Code;
use crate::schema::Kind;
use crate::shape::Lookup;

pub(super) struct Postgres;

impl Words for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn select(&self, statement: &SelectStatement) -> (String, Values) {
        statement.build(PostgresQueryBuilder)
    }

    fn update(&self, statement: &UpdateStatement) -> (String, Values) {
        statement.build(PostgresQueryBuilder)
    }

    fn delete(&self, statement: &DeleteStatement) -> (String, Values) {
        statement.build(PostgresQueryBuilder)
    }

    fn insert(&self, insertion: &Insertion<'_>) -> String {
        let Insertion { table, columns, key, .. } = insertion;
        let names = || listed(columns.iter().map(|(name, _)| *name), '"');
        let ignore = if insertion.ignore_conflicts { " ON CONFLICT DO NOTHING" } else { "" };
        if columns.is_empty() {
            return format!("INSERT INTO \"{table}\" DEFAULT VALUES{ignore} RETURNING \"{key}\"");
        }
        if !insertion.many {
            let marks: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
            let marks = marks.join(", ");
            return format!("INSERT INTO \"{table}\" ({}) VALUES ({marks}){ignore} RETURNING \"{key}\"", names());
        }
        let arrays: Vec<String> =
            columns.iter().enumerate().map(|(at, (_, kind))| format!("${}::{}[]", at + 1, type_name(*kind))).collect();
        let rows = format!("UNNEST({})", arrays.join(", "));
        if ignore.is_empty() {
            return format!("INSERT INTO \"{table}\" ({}) SELECT * FROM {rows} RETURNING \"{key}\"", names());
        }
        // RETURNING leaves out the rows that were ignored, and can't say which: each row is given its key beforehand, and
        // looked for among those that came back. The answer has a row for each, in order, null where it was ignored.
        let values: Vec<String> = (1..=columns.len()).map(|at| format!("v{at}")).collect();
        let values = values.join(", ");
        let given = columns.iter().position(|(name, _)| name == key);
        let (new_key, key_value) = match given {
            Some(at) => (String::new(), format!("v{}", at + 1)),
            None => {
                (format!(", nextval(pg_get_serial_sequence('\"{table}\"', '{key}')) AS new_key"), "new_key".to_owned())
            }
        };
        let (more_names, more_values) =
            if given.is_some() { (String::new(), "") } else { (format!(", \"{key}\""), ", new_key") };
        format!(
            "WITH given AS (SELECT u.*{new_key} FROM {rows} WITH ORDINALITY AS u ({values}, place)), \
             stored AS (INSERT INTO \"{table}\" ({names}{more_names}) SELECT {values}{more_values} FROM given \
             ORDER BY place{ignore} RETURNING \"{key}\" AS stored_key) \
             SELECT stored_key FROM given LEFT JOIN stored ON stored_key = {key_value} ORDER BY place",
            names = names(),
        )
    }

    fn no_limit(&self) -> Option<i64> {
        None
    }

    fn nulls(&self, descending: bool) -> Option<NullOrdering> {
        Some(if descending { NullOrdering::Last } else { NullOrdering::First })
    }

    fn apart(&self, keys: SelectStatement, _key: &str) -> SelectStatement {
        keys
    }

    fn same(&self, left: Expr, code: Code, fill: &mut Fill<'_>, total: bool) -> Expr {
        if total {
            return Expr::cust_with_exprs("$1 IS NOT DISTINCT FROM $2", [left, fill(code)]);
        }
        // No index serves IS NOT DISTINCT FROM; of these two, one falls away when the parameter is known.
        let (value, again) = (fill(code.clone()), fill(code));
        Expr::cust_with_exprs("$1 = $2 OR ($1 IS NULL AND $3 IS NULL)", [left, value, again])
    }

    fn member(&self, left: Expr, list: Expr, _total: bool) -> Expr {
        Expr::cust_with_exprs("$1 = ANY($2)", [left, list])
    }

    fn contains(&self, text: Expr, needle: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("strpos($1, $2) > 0", [fold(text, folded), needle])
    }

    fn begins(&self, text: Expr, fill: &mut Fill<'_>) -> Expr {
        // Served by an index in collation "C".
        Expr::cust_with_exprs("$1 ^@ $2", [text, fill(Code::Needle { folded: false, bytes: false })])
    }

    fn begins_folded(&self, text: Expr, needle: Expr) -> Expr {
        Expr::cust_with_exprs("starts_with($1, $2)", [fold(text, true), needle])
    }

    fn ends(&self, text: Expr, needle: Expr, again: Expr, folded: bool) -> Expr {
        Expr::cust_with_exprs("right($1, length($2)) = $3", [fold(text, folded), needle, again])
    }

    fn same_folded(&self, text: Expr, needle: Expr) -> Expr {
        fold(text, true).eq(needle)
    }

    fn matches(&self, text: Expr, pattern: Expr) -> Expr {
        Expr::cust_with_exprs("$1 COLLATE \"und-x-icu\" ~ $2", [text, pattern])
    }

    fn part(&self, kind: &Kind, part: Lookup, moment: Expr) -> Expr {
        let name = match part {
            Lookup::Year => "YEAR",
            Lookup::Month => "MONTH",
            Lookup::Day => "DAY",
            Lookup::WeekDay => "ISODOW",
            Lookup::Hour => "HOUR",
            Lookup::Minute => "MINUTE",
            _ => "SECOND",
        };
        let zone = if matches!(kind, Kind::Datetime) { " AT TIME ZONE 'UTC'" } else { "" };
        // A second comes with its fraction.
        Expr::cust_with_exprs(format!("CAST(FLOOR(EXTRACT({name} FROM $1{zone})) AS BIGINT)"), [moment])
    }
}

/// Folds as the host folds what is looked for: lower case, and one sigma.
fn fold(text: Expr, folded: bool) -> Expr {
    if folded { Expr::cust_with_exprs("replace(lower($1 COLLATE \"und-x-icu\"), 'ς', 'σ')", [text]) } else { text }
}

/// The type of a placeholder.
fn type_name(kind: Stored) -> &'static str {
    match kind {
        Stored::Bool => "boolean",
        Stored::Int => "bigint",
        Stored::Real => "double precision",
        Stored::Decimal { .. } => "numeric",
        Stored::Text => "text",
        Stored::Bytes => "bytea",
        Stored::Timestamp => "timestamptz",
        Stored::Date => "date",
        Stored::Time => "time",
        Stored::Duration => "interval",
        Stored::Json => "jsonb",
        Stored::Uuid => "uuid",
    }
}
