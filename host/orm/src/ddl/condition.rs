//! A condition within a table's definition: the planner's text with its values as literals.

use covet_db::Value;

use super::forms::Forms;
use crate::plan::condition::template;
use crate::schema::{Condition, Kind};
use crate::{Catalog, QueryError};

/// The condition of a model's check or index as SQL text.
///
/// # Errors
/// As [`template`]; the catalog has planned it before.
pub(super) fn text(
    forms: &dyn Forms,
    catalog: &Catalog,
    model: usize,
    condition: &Condition,
) -> Result<String, QueryError> {
    let (sql, values) = template(catalog, forms.dialect(), model, condition)?;
    Ok(fill(forms, &sql, &values))
}

/// Puts literals in the place of placeholders, `?` or `$1`. No text of the template is a literal that could hold one: it has
/// checked names and the dialect's own words only.
fn fill(forms: &dyn Forms, sql: &str, values: &[(Kind, Value)]) -> String {
    // How lists are bound; a list of literals is the same to all.
    let sql = sql.replace("rarray(?)", "(?)").replace("/*list*/?", "?");
    let mut out = String::with_capacity(sql.len() + values.len() * 8);
    let mut next = values.iter();
    let mut rest = sql.as_str();
    while let Some(at) = rest.find(['?', '$']) {
        let (before, marked) = rest.split_at(at);
        let mark = marked.get(1..).unwrap_or_default();
        let digits = mark.bytes().take_while(u8::is_ascii_digit).count();
        rest = mark.get(digits..).unwrap_or_default();
        let value = match mark.get(..digits).and_then(|number| number.parse::<usize>().ok()) {
            Some(number) => values.get(number.saturating_sub(1)),
            None => next.next(),
        };
        match value {
            Some((kind, Value::List(items))) => {
                let items: Vec<String> = items.iter().map(|item| forms.literal(kind, item)).collect();
                match before.strip_suffix("= ANY(") {
                    Some(before) => out.push_str(&format!("{before}IN ({}", items.join(", "))),
                    None => out.push_str(&format!("{before}{}", items.join(", "))),
                }
            }
            Some((kind, value)) => out.push_str(&format!("{before}{}", forms.literal(kind, value))),
            None => out.push_str(&format!("{before}NULL")),
        }
    }
    out.push_str(rest);
    out
}
