//! Conditions as part of a model: of checks and of partial indexes.

use super::expr::Condition;
use super::shape::filter_to_wire;
use crate::bindings::covet::orm::schema;
use crate::model::Model;

/// For `#[model(check(…), index(…, where = …))]`.
#[doc(hidden)]
pub fn condition<M: Model>(condition: impl Condition<M>) -> schema::Condition {
    let expr = condition.into_expr();
    let (filter, _) = filter_to_wire(M::meta(), &expr.words);
    schema::Condition { filter, params: expr.params.finish() }
}
