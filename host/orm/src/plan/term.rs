//! A lowered value: SQL with what it is.

use sea_query::{Expr, ExprTrait};

use super::path::Column;
use crate::QueryError;
use crate::dialect::Typed;
use crate::schema::{DecimalSpec, Kind};

/// A value or a condition within the query; a condition is a value of kind boolean.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub expr: Expr,
    pub kind: Kind,
    /// Null in some rows.
    pub nullable: bool,
    /// Index of the field, when it is one of the root's own and nothing else.
    pub own: Option<usize>,
    /// A field, as it lies in the table: an index may serve it, and its text may be repeated.
    pub stored: bool,
    /// As authors say it, for errors.
    pub label: String,
}

impl Term {
    /// A computed value.
    pub fn of(expr: Expr, kind: Kind, nullable: bool, label: impl Into<String>) -> Term {
        Term { expr, kind, nullable, own: None, stored: false, label: label.into() }
    }

    /// A condition that is never null.
    pub fn condition(expr: Expr) -> Term {
        Term::of(expr, Kind::Boolean, false, "condition")
    }

    pub fn typed(self) -> Typed {
        Typed { expr: self.expr, kind: self.kind }
    }

    /// The condition with null counted as false, for where a negation stands above it.
    pub fn or_false(self) -> Expr {
        // Text that stands once: a repeated one would grow with the depth.
        if self.nullable { self.expr.is(Expr::cust("TRUE")) } else { self.expr }
    }
}

impl From<Column<'_>> for Term {
    fn from(column: Column<'_>) -> Term {
        Term {
            expr: column.expr,
            kind: column.field.kind.clone(),
            nullable: column.nullable,
            own: column.own,
            stored: true,
            label: column.label,
        }
    }
}

/// A kind without its width: what values are calculated in.
pub(super) fn plain(kind: &Kind) -> Kind {
    match kind {
        Kind::Int16 | Kind::Int32 | Kind::Int64 => Kind::Int64,
        Kind::Float32 | Kind::Float64 => Kind::Float64,
        Kind::Json => Kind::Json,
        text if text.is_textual() => Kind::Text,
        other => other.clone(),
    }
}

/// A decimal with all the digits there are.
pub(super) fn wide(scale: u8) -> Kind {
    Kind::Decimal(DecimalSpec { digits: covet_db::MAX_DIGITS, scale })
}

/// Digits behind the point; of an integer, none.
pub(super) fn scale(kind: &Kind) -> u8 {
    match kind {
        Kind::Decimal(spec) => spec.scale,
        _ => 0,
    }
}

/// The kind that values of two kinds have in common.
pub(super) fn common(one: &Kind, other: &Kind) -> Option<Kind> {
    let narrow = |spec: &DecimalSpec| spec.digits <= covet_db::INTEGER_DIGITS;
    match (plain(one), plain(other)) {
        (Kind::Decimal(a), Kind::Decimal(b))
            if a.scale == b.scale && (a.digits == b.digits || narrow(&a) && narrow(&b)) =>
        {
            Some(Kind::Decimal(DecimalSpec { digits: Ord::max(a.digits, b.digits), scale: a.scale }))
        }
        (Kind::Decimal(_), Kind::Decimal(_) | Kind::Int64) | (Kind::Int64, Kind::Decimal(_)) => {
            Some(wide(Ord::max(scale(one), scale(other))))
        }
        (Kind::Int64, Kind::Float64) | (Kind::Float64, Kind::Int64) => Some(Kind::Float64),
        (a, b) if a == b => Some(a),
        _ => None,
    }
}

/// The fault of two values that have no kind in common.
pub(super) fn differ(one: &Term, other: &Term) -> QueryError {
    QueryError::bad(format!(
        "{} ({}) can't be compared or combined with {} ({}): their kinds differ, cast one of them",
        one.label,
        one.kind.label(),
        other.label,
        other.kind.label()
    ))
}
