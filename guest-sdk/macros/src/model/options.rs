//! `#[model(…)]` and `#[field(…)]`: what may stand in them.

use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, Ident, Lit, LitBool, LitInt, LitStr, Path, Token, bracketed, parenthesized,
};

/// A field of an index or an ordering, and whether it is descending.
pub(super) type Columns = Vec<(Ident, bool)>;

#[derive(Default)]
pub(super) struct ModelOptions {
    pub table: Option<LitStr>,
    pub ordering: Columns,
    pub indexes: Vec<Index>,
    pub checks: Vec<Check>,
    pub default: bool,
    pub serialize: Option<bool>,
    pub managed: Option<bool>,
    pub max_query_limit: Option<LitInt>,
    pub hooks: bool,
    pub identity: bool,
}

/// `index(a, -b, name = "…", folded, where = condition)`
pub(super) struct Index {
    pub columns: Columns,
    pub unique: bool,
    pub name: Option<LitStr>,
    pub folded: bool,
    pub condition: Option<Expr>,
}

/// `check(condition)`, `check("name", condition)`
pub(super) struct Check {
    pub name: Option<LitStr>,
    pub condition: Expr,
}

/// What a relation's field does when the row that it points to is deleted.
pub(super) enum OnDelete {
    /// A variant of the SDK's enum without data.
    Rule(Ident),
    /// `set(key)`
    Set(Expr),
}

/// `default` is a constant, `default_factory` a function.
pub(super) enum DefaultValue {
    Constant(Expr),
    Factory(Path),
}

#[derive(Default)]
pub(super) struct FieldOptions {
    pub max_length: Option<LitInt>,
    pub min_length: Option<LitInt>,
    pub unique: bool,
    pub index: bool,
    pub primary_key: bool,
    pub default: Option<DefaultValue>,
    pub auto_now: bool,
    pub auto_now_add: bool,
    pub column: Option<LitStr>,
    pub digits: Option<LitInt>,
    pub scale: Option<LitInt>,
    pub on_delete: Option<OnDelete>,
    pub min: Option<Expr>,
    pub max: Option<Expr>,
    pub choices: Vec<Expr>,
    pub validators: Vec<Path>,
    pub private: bool,
    pub related_name: Option<Ident>,
    pub through: Option<Path>,
    pub through_fields: Option<(Ident, Ident)>,
    pub symmetrical: bool,
}

const MODEL_OPTIONS: &str =
    "table, ordering, index(…), unique(…), check(…), managed, max_query_limit, default, serialize, hooks, identity";
const FIELD_OPTIONS: &str = "max_length, min_length, unique, index, primary_key, default, default_factory, auto_now, auto_now_add, column, digits, scale, on_delete, min, max, choices, validate, validators, private, related_name, through, through_fields(here, there), symmetrical";

pub(super) fn model_options(attributes: &[Attribute]) -> syn::Result<ModelOptions> {
    let mut options = ModelOptions::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("model")) {
        attribute.parse_nested_meta(|meta| {
            match text(&meta).as_str() {
                "table" | "db_table" => options.table = Some(meta.value()?.parse()?),
                "ordering" => options.ordering = ordering(&meta.value()?.parse()?)?,
                "index" => options.indexes.push(index(&meta, false)?),
                "unique" | "unique_together" => options.indexes.push(index(&meta, true)?),
                "check" => options.checks.push(inside(&meta)?),
                "managed" => options.managed = Some(meta.value()?.parse::<LitBool>()?.value),
                "max_query_limit" => options.max_query_limit = Some(meta.value()?.parse()?),
                "default" => options.default = true,
                "hooks" => options.hooks = true,
                "identity" => options.identity = true,
                "serialize" => options.serialize = Some(meta.value()?.parse::<LitBool>()?.value),
                other => {
                    return Err(meta.error(format!("`{other}` is no option of a model: known are {MODEL_OPTIONS}")));
                }
            }
            Ok(())
        })?;
    }
    if let Some(table) = &options.table {
        let text = table.value();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(word) {
            return Err(Error::new(
                table.span(),
                "a table's name has letters, digits and _, and starts with a letter or _",
            ));
        }
    }
    Ok(options)
}

fn text(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(Ident::to_string).unwrap_or_default()
}

/// What stands in the parentheses behind an option.
fn inside<T: Parse>(meta: &ParseNestedMeta<'_>) -> syn::Result<T> {
    let content;
    parenthesized!(content in meta.input);
    content.parse()
}

/// `"-views, title"`
fn ordering(list: &LitStr) -> syn::Result<Columns> {
    list.value()
        .split(',')
        .map(|column| {
            let column = column.trim();
            let (name, descending) = match column.strip_prefix('-') {
                Some(name) => (name, true),
                None => (column, false),
            };
            let mut ident: Ident = syn::parse_str(name.trim()).map_err(|_| {
                Error::new(list.span(), format!("`{column}` is no field: write ordering = \"-views, title\""))
            })?;
            ident.set_span(list.span());
            Ok((ident, descending))
        })
        .collect()
}

fn index(meta: &ParseNestedMeta<'_>, unique: bool) -> syn::Result<Index> {
    let list;
    parenthesized!(list in meta.input);
    let mut index = Index { columns: Vec::new(), unique, name: None, folded: false, condition: None };
    while !list.is_empty() {
        if list.parse::<Option<Token![where]>>()?.is_some() {
            list.parse::<Token![=]>()?;
            index.condition = Some(list.parse()?);
        } else {
            let descending = list.parse::<Option<Token![-]>>()?.is_some();
            let word: Ident = list.parse()?;
            if word == "name" && list.parse::<Option<Token![=]>>()?.is_some() {
                index.name = Some(list.parse()?);
            } else if word == "folded" && (list.is_empty() || list.peek(Token![,])) {
                index.folded = true;
            } else {
                index.columns.push((word, descending));
            }
        }
        if !list.is_empty() {
            list.parse::<Token![,]>()?;
        }
    }
    if index.columns.is_empty() {
        return Err(meta.error("name the fields: index(author, -created_at)"));
    }
    Ok(index)
}

impl Parse for Check {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = if input.peek(LitStr) && input.peek2(Token![,]) {
            let name = input.parse()?;
            input.parse::<Token![,]>()?;
            Some(name)
        } else {
            None
        };
        if input.is_empty() {
            return Err(input.error("write the condition: check(Self::ends().gt(Self::begins()))"));
        }
        Ok(Check { name, condition: input.parse()? })
    }
}

/// `[a, b]`
fn list<T: Parse>(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<T>> {
    let input = meta.value()?;
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

pub(super) fn field_options(attributes: &[Attribute]) -> syn::Result<FieldOptions> {
    let mut options = FieldOptions::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            match text(&meta).as_str() {
                "max_length" => options.max_length = Some(meta.value()?.parse()?),
                "min_length" => options.min_length = Some(meta.value()?.parse()?),
                "unique" => options.unique = true,
                "index" | "db_index" => options.index = true,
                "primary_key" => options.primary_key = true,
                "default" => options.default = Some(DefaultValue::Constant(meta.value()?.parse()?)),
                "default_factory" => options.default = Some(DefaultValue::Factory(meta.value()?.parse()?)),
                "auto_now" => options.auto_now = true,
                "auto_now_add" => options.auto_now_add = true,
                "column" | "db_column" => options.column = Some(meta.value()?.parse()?),
                "digits" | "max_digits" => options.digits = Some(meta.value()?.parse()?),
                "scale" | "decimal_places" => options.scale = Some(meta.value()?.parse()?),
                "on_delete" => options.on_delete = Some(on_delete(meta.value()?)?),
                "min" | "min_value" => options.min = Some(meta.value()?.parse()?),
                "max" | "max_value" => options.max = Some(meta.value()?.parse()?),
                "choices" => {
                    options.choices = list(&meta)?;
                    if options.choices.is_empty() {
                        return Err(meta.error("name the choices: choices = [\"draft\", \"live\"]"));
                    }
                }
                "validate" => options.validators.push(meta.value()?.parse()?),
                "validators" => options.validators.extend(list::<Path>(&meta)?),
                "private" => options.private = true,
                "related_name" => {
                    let name: LitStr = meta.value()?.parse()?;
                    options.related_name = Some(name.parse::<Ident>().map_err(|_| {
                        Error::new(name.span(), "a related_name is the name of a function: related_name = \"posts\"")
                    })?);
                }
                "through" => options.through = Some(meta.value()?.parse()?),
                "through_fields" => {
                    let content;
                    parenthesized!(content in meta.input);
                    let names: Vec<Ident> =
                        Punctuated::<Ident, Token![,]>::parse_terminated(&content)?.into_iter().collect();
                    let [here, there] = &names[..] else {
                        return Err(meta.error("name two fields: through_fields(post, tag)"));
                    };
                    options.through_fields = Some((here.clone(), there.clone()));
                }
                "symmetrical" => options.symmetrical = true,
                "null" | "nullable" => {
                    return Err(meta.error("a field that may be null is an `Option<…>`: write it as the field's type"));
                }
                other => {
                    return Err(meta.error(format!("`{other}` is no option of a field: known are {FIELD_OPTIONS}")));
                }
            }
            Ok(())
        })?;
    }
    Ok(options)
}

/// `"cascade"`, …, or `set(key)`
fn on_delete(input: ParseStream<'_>) -> syn::Result<OnDelete> {
    if input.peek(Ident) {
        let word: Ident = input.parse()?;
        if word != "set" {
            return Err(Error::new(word.span(), "write set(key), or a rule as \"cascade\""));
        }
        let content;
        parenthesized!(content in input);
        let key: Expr = content.parse()?;
        return Ok(OnDelete::Set(key));
    }
    let rule: LitStr = input.parse()?;
    let variant = match rule.value().as_str() {
        "cascade" => "Cascade",
        "protect" => "Protect",
        "restrict" => "Restrict",
        "set_null" => "SetNull",
        "set_default" => "SetDefault",
        "do_nothing" => "DoNothing",
        other => {
            return Err(Error::new(
                rule.span(),
                format!(
                    "`{other}` is none of \"cascade\", \"protect\", \"restrict\", \"set_null\", \"set_default\", \"do_nothing\", set(key)"
                ),
            ));
        }
    };
    Ok(OnDelete::Rule(Ident::new(variant, rule.span())))
}

/// The texts of choices that are all texts.
pub(super) fn texts(choices: &[Expr]) -> Option<Vec<&LitStr>> {
    choices
        .iter()
        .map(|choice| match choice {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
            _ => None,
        })
        .collect()
}
