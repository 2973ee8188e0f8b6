//! Values, functions and aggregates, as each dialect says them.

use sea_query::{Expr, ExprTrait, Func};

use crate::schema::Kind;
use crate::shape::{Aggregation, Arithmetic, Function};

/// An expression with the kind of its value.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub expr: Expr,
    pub kind: Kind,
}

/// What values are computed with.
///
/// Each takes its operands into the text once and no more: values nest, and a text that repeated them would grow with every
/// level. Kinds have been checked; integers and floats have 64 bits.
pub(crate) trait Functions {
    /// A template with a `?` for each expression.
    fn write(&self, template: &str, values: Vec<Expr>) -> Expr;

    /// See `wit/deps/orm/orm.wit`, `arithmetic`. Past what the result's kind holds it must fail, never be another number.
    fn calculate(&self, arithmetic: Arithmetic, left: Typed, right: Typed, result: &Kind) -> Expr;
    /// Numbers lose their places behind the point towards zero when they become integers; decimals are rounded to fewer.
    fn cast(&self, value: Typed, to: &Kind) -> Expr;
    /// Of those functions that have no words common to all.
    fn call(&self, function: Function, arguments: Vec<Typed>, result: &Kind) -> Expr;
    /// Of a value; a count of rows needs no words. `over` makes the bare aggregate that of a window.
    fn aggregate(
        &self,
        function: Aggregation,
        distinct: bool,
        value: Typed,
        result: &Kind,
        over: &dyn Fn(Expr) -> Expr,
    ) -> Expr;
    /// A computed value on its way into a field: one that the field can't hold must fail.
    fn fit(&self, value: Typed, field: &Kind) -> Expr;
    /// Begins with the needle, as stored; an index need not serve.
    fn starts(&self, text: Expr, needle: Expr) -> Expr;
    /// Ends with the needle, bound as bytes, folded already where it is to be.
    fn finishes(&self, text: Expr, needle: Expr, folded: bool) -> Expr;

    /// The count of rows that a window function takes.
    fn count_of_rows(&self, count: Expr) -> Expr {
        count
    }

    /// `function OVER (PARTITION BY … ORDER BY …)`; each order with whether it is descending.
    fn over(&self, function: Expr, partition: Vec<Expr>, order: Vec<(Expr, bool)>) -> Expr {
        let mut template = "? OVER (".to_owned();
        let marks = |count: usize| vec!["?"; count].join(", ");
        if !partition.is_empty() {
            template.push_str(&format!("PARTITION BY {}", marks(partition.len())));
        }
        for (at, (_, descending)) in order.iter().enumerate() {
            template.push_str(match (at, partition.is_empty()) {
                (0, true) => "ORDER BY ?",
                (0, false) => " ORDER BY ?",
                _ => ", ?",
            });
            template.push_str(self.direction(*descending));
        }
        template.push(')');
        let values = std::iter::once(function).chain(partition).chain(order.into_iter().map(|(expr, _)| expr));
        self.write(&template, values.collect())
    }

    /// How an order within a template goes on: nulls come first ascending and last descending.
    fn direction(&self, descending: bool) -> &'static str {
        if descending { " DESC" } else { "" }
    }
}

/// What all dialects say alike of integers, floats and moments.
pub(super) fn plainly(arithmetic: Arithmetic, left: Expr, right: Expr) -> Expr {
    match arithmetic {
        Arithmetic::Add => left.add(right),
        Arithmetic::Subtract => left.sub(right),
        Arithmetic::Multiply => left.mul(right),
        Arithmetic::Divide => left.div(not_zero(right)),
        Arithmetic::Modulo => left.modulo(not_zero(right)),
    }
}

/// Null instead of zero.
pub(super) fn not_zero(value: Expr) -> Expr {
    Func::cust("NULLIF").arg(value).arg(Expr::cust("0")).into()
}

/// Name of the unit that a function speaks of; none where it speaks of none.
pub(super) fn unit(function: Function) -> Option<&'static str> {
    Some(match function {
        Function::Year | Function::StartOfYear => "year",
        Function::Quarter | Function::StartOfQuarter => "quarter",
        Function::Month | Function::StartOfMonth => "month",
        Function::Week | Function::StartOfWeek => "week",
        Function::Day | Function::StartOfDay => "day",
        Function::WeekDay => "week-day",
        Function::Hour | Function::StartOfHour => "hour",
        Function::Minute | Function::StartOfMinute => "minute",
        Function::Second | Function::StartOfSecond => "second",
        _ => return None,
    })
}
