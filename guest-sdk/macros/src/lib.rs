//! Macros of the `covet` crate. Their documentation for authors is here, because rustdoc shows it where they are used;
//! the code that they write names everything by `::covet::…`.
//!
//! A mistake is answered where it stands, and with what to write.

mod choices;
mod model;
mod plugin;
mod route;

use proc_macro::TokenStream;

/// Makes a struct with named fields a model: its instances are rows of a table.
///
/// It gives the struct a column function for each field (`Post::title()`), the trait `Model` with `objects()`, `get`,
/// `save`, `delete` and `refresh`, and `Serialize` (all fields that are not `private`).
///
/// On the struct, `#[model(…)]`:
///
/// | option | meaning |
/// |---|---|
/// | `table = "posts"` | the table; default: the name in snake_case with an `s` |
/// | `ordering = "-views, title"` | order of queries that name none; `-` is descending |
/// | `index(a, b)`, `index(-created_at)` | an index over these fields |
/// | `unique(a, b)` | no two rows share the values of all of these |
/// | `index(…, name = "…")` | of an index or a unique one: its name |
/// | `index(…, where = condition)` | of either: only of rows that meet the condition |
/// | `index(…, folded)` | of either: over texts in lower case |
/// | `check(condition)`, `check("name", condition)` | the database enforces it for every row |
/// | `managed = false` | the table is somebody else's: compared, never created |
/// | `max_query_limit = 500` | most rows of one answer |
/// | `default` | also implements `Default`, with the fields' own defaults where they have one |
/// | `serialize = false` | leaves `Serialize` to you |
/// | `hooks` | leaves the trait `Hooks` to you: `clean`, `pre_save`, `post_save`, `pre_delete`, `post_delete` |
/// | `identity` | implements `PartialEq`, `Eq` and `Hash` by the key: two of one row are equal |
///
/// On a field, `#[field(…)]`:
///
/// | option | meaning |
/// |---|---|
/// | `max_length = 200`, `min_length = 1` | characters of a `String` or `Slug`, elements of a `Vec` |
/// | `unique`, `index` | |
/// | `primary_key` | for keys that are not an `Id` |
/// | `default = expr` | a constant: the column's `DEFAULT` |
/// | `default_factory = function` | for the model's `Default` only |
/// | `choices = ["a", "b"]` | one of these values |
/// | `auto_now`, `auto_now_add` | filled at every save, or at the first |
/// | `column = "name"` | the column; default: the field's name, `name_id` for a `ForeignKey` |
/// | `digits = 18, scale = 2` | of a `Decimal` |
/// | `on_delete = "cascade"` | of a relation: or `protect`, `restrict`, `set_null`, `set_default`, `set(key)`, `do_nothing` |
/// | `min = 0`, `max = 10` | checked before the row is stored; for whole numbers by the database too |
/// | `validate = function` | `fn(&T) -> Result<(), impl Display>`, called before the row is stored |
/// | `validators = [f, g]` | several of them |
/// | `private` | never in JSON |
/// | `related_name = "posts"` | of a relation: its name at the other end, `Author::posts()` and `author.posts()` |
/// | `through = Model`, `through_fields(here, there)` | of a `ManyToMany`: a table between of your own |
/// | `symmetrical` | of a `ManyToMany` to the model itself |
///
/// Options have their names of Django too: `db_table`, `unique_together`, `db_column`, `db_index`, `min_value`, `max_value`,
/// `max_digits`, `decimal_places`.
///
/// Doc comments, `cfg` and other attributes of the fields stay as they are.
#[proc_macro_derive(Model, attributes(model, field))]
pub fn model(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(model::expand))
}

/// Makes an enum of unit variants a field type: stored as text, its variants in snake_case or as `#[choice("…")]` says.
///
/// The enum must be `Copy`. It gets `ALL`, `as_str()`, `Display`, `FromStr`, `Serialize` and `Deserialize` in the same
/// words.
#[proc_macro_derive(Choices, attributes(choice))]
pub fn choices(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(choices::expand))
}

/// The plugin's table of contents; once in a crate.
///
/// ```ignore
/// covet::plugin! { models: [Author, Post], routes: [popular, show, admin::edit] }
/// ```
///
/// `name` and `version` are those of `Cargo.toml` unless they are given: `name: "blog", version: "2"`.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    expand(syn::parse(input).and_then(plugin::expand))
}

macro_rules! routes {
    ($($name:ident $method:ident;)*) => {$(
        #[doc = concat!("Makes a function the handler of `", stringify!($method), "` requests for a path.")]
        ///
        /// `{name}` fills one segment of the path, `{*rest}` all that follow. An argument with the parameter's name
        /// takes it; other arguments are extractors (`FromRequest`). The function stays as it is, to be called in tests.
        #[proc_macro_attribute]
        pub fn $name(path: TokenStream, function: TokenStream) -> TokenStream {
            attribute(stringify!($method), path, function)
        }
    )*};
}

routes! {
    get Get; head Head; post Post; put Put; patch Patch; delete Delete; options Options;
}

fn attribute(method: &str, path: TokenStream, function: TokenStream) -> TokenStream {
    let original: proc_macro2::TokenStream = function.clone().into();
    let result = syn::parse(path)
        .map_err(|_| {
            syn::Error::new(
                proc_macro2::Span::call_site(),
                format!("write the path: #[{}(\"/posts/{{id}}\")]", method.to_lowercase()),
            )
        })
        .and_then(|path| route::expand(method, &path, &syn::parse(function)?));
    match result {
        Ok(tokens) => tokens.into(),
        // The function stays, so that one mistake does not become a dozen messages.
        Err(error) => {
            let error = error.into_compile_error();
            quote::quote!(#original #error).into()
        }
    }
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// `UserProfile` → `user_profile`; runs of capitals are one word: `HTTPServer` → `http_server`.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (i, c) in chars.iter().enumerate() {
        if c.is_uppercase() && i > 0 {
            let after_word = chars[i - 1] != '_' && !chars[i - 1].is_uppercase();
            let before_word = chars.get(i + 1).is_some_and(|next| next.is_lowercase());
            if after_word || (before_word && chars[i - 1] != '_') {
                snake.push('_');
            }
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_become_snake_case_word_by_word() {
        for (name, snake) in [
            ("Post", "post"),
            ("UserProfile", "user_profile"),
            ("HTTPServer", "http_server"),
            ("Utf8Text", "utf8_text"),
            ("A", "a"),
            ("InProgress", "in_progress"),
        ] {
            assert_eq!(super::snake_case(name), snake);
        }
    }
}
