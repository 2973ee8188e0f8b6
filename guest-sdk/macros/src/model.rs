//! `#[derive(Model)]`

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Ident, Lit, LitBool, LitInt, LitStr, Path, Token, Type,
    parenthesized,
};

use crate::snake_case;

/// Functions that every model has; a field of that name would hide them.
const TAKEN: [&str; 12] =
    ["objects", "get", "save", "save_fields", "delete", "refresh", "key", "meta", "check", "touch", "attach", "decode"];

#[derive(Default)]
struct ModelOptions {
    table: Option<LitStr>,
    ordering: Vec<(Ident, bool)>,
    indexes: Vec<(Vec<(Ident, bool)>, bool)>,
    default: bool,
    serialize: Option<bool>,
}

#[derive(Default)]
struct FieldOptions {
    max_length: Option<LitInt>,
    min_length: Option<LitInt>,
    unique: bool,
    index: bool,
    primary_key: bool,
    default: Option<Expr>,
    auto_now: bool,
    auto_now_add: bool,
    column: Option<LitStr>,
    digits: Option<LitInt>,
    scale: Option<LitInt>,
    on_delete: Option<TokenStream>,
    min: Option<Expr>,
    max: Option<Expr>,
    validate: Option<Path>,
    private: bool,
}

struct Field {
    name: Ident,
    ty: Type,
    options: FieldOptions,
}

pub(crate) fn expand(input: DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => {
                return Err(Error::new(
                    input.span(),
                    "a model has named fields: `struct Post { id: Id<Post>, title: String }`",
                ));
            }
        },
        _ => {
            return Err(Error::new(
                input.span(),
                "a model is a struct; for an enum that is stored in a field, derive `Choices`",
            ));
        }
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "a model has no generics: each is one table"));
    }
    let options = model_options(&input.attrs)?;
    let fields: Vec<Field> = fields
        .iter()
        .map(|field| {
            let name = field.ident.clone().unwrap_or_else(|| format_ident!("_"));
            Ok(Field { name, ty: field.ty.clone(), options: field_options(&field.attrs)? })
        })
        .collect::<syn::Result<_>>()?;
    check_names(name, &options, &fields)?;
    let key = primary_key(name, &fields)?;
    Ok(write(&input, &options, &fields, key))
}

fn check_names(model: &Ident, options: &ModelOptions, fields: &[Field]) -> syn::Result<()> {
    for field in fields {
        let text = field.name.to_string();
        if TAKEN.contains(&text.as_str()) {
            return Err(Error::new(
                field.name.span(),
                format!(
                    "`{model}::{text}` is a function of every model: name the field otherwise, and the column with #[field(column = \"{text}\")]"
                ),
            ));
        }
    }
    let named = options.indexes.iter().flat_map(|(columns, _)| columns).chain(&options.ordering);
    for (column, _) in named {
        if !fields.iter().any(|field| field.name == *column) {
            let known: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
            return Err(Error::new(
                column.span(),
                format!("`{model}` has no field `{column}`; it has {}", known.join(", ")),
            ));
        }
    }
    Ok(())
}

/// The index of the primary key: the field that says so, or the one of type `Id`.
fn primary_key(model: &Ident, fields: &[Field]) -> syn::Result<usize> {
    let is_id = |field: &Field| match &field.ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Id"),
        _ => false,
    };
    let mut keys = fields.iter().enumerate().filter(|(_, field)| field.options.primary_key || is_id(field));
    match (keys.next(), keys.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some((_, second))) => Err(Error::new(
            second.name.span(),
            format!(
                "`{model}` has two primary keys: keep one, and write #[model(unique(a, b))] for a pair that must be unique"
            ),
        )),
        (None, _) => Err(Error::new(
            model.span(),
            format!(
                "`{model}` has no primary key\nhelp: add `pub id: Id<{model}>`, which the database numbers, or mark a field with #[field(primary_key)]"
            ),
        )),
    }
}

fn model_options(attributes: &[Attribute]) -> syn::Result<ModelOptions> {
    let mut options = ModelOptions::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("model")) {
        attribute.parse_nested_meta(|meta| {
            match text(&meta).as_str() {
                "table" => options.table = Some(meta.value()?.parse()?),
                "ordering" => options.ordering = ordering(&meta.value()?.parse()?)?,
                "index" => options.indexes.push((columns(&meta)?, false)),
                "unique" => options.indexes.push((columns(&meta)?, true)),
                "default" => options.default = true,
                "serialize" => options.serialize = Some(meta.value()?.parse::<LitBool>()?.value),
                other => {
                    return Err(meta.error(format!(
                        "`{other}` is no option of a model: known are table, ordering, index(…), unique(…), default, serialize"
                    )));
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

/// `"-views, title"`
fn ordering(list: &LitStr) -> syn::Result<Vec<(Ident, bool)>> {
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

/// `(a, -b)`
fn columns(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<(Ident, bool)>> {
    let list;
    parenthesized!(list in meta.input);
    let mut columns = Vec::new();
    while !list.is_empty() {
        let descending = list.parse::<Option<Token![-]>>()?.is_some();
        columns.push((list.parse()?, descending));
        if !list.is_empty() {
            list.parse::<Token![,]>()?;
        }
    }
    if columns.is_empty() {
        return Err(meta.error("name the fields: index(author, -created_at)"));
    }
    Ok(columns)
}

fn field_options(attributes: &[Attribute]) -> syn::Result<FieldOptions> {
    let mut options = FieldOptions::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            match text(&meta).as_str() {
                "max_length" => options.max_length = Some(meta.value()?.parse()?),
                "min_length" => options.min_length = Some(meta.value()?.parse()?),
                "unique" => options.unique = true,
                "index" => options.index = true,
                "primary_key" => options.primary_key = true,
                "default" => options.default = Some(meta.value()?.parse()?),
                "auto_now" => options.auto_now = true,
                "auto_now_add" => options.auto_now_add = true,
                "column" => options.column = Some(meta.value()?.parse()?),
                "digits" => options.digits = Some(meta.value()?.parse()?),
                "scale" => options.scale = Some(meta.value()?.parse()?),
                "on_delete" => options.on_delete = Some(on_delete(&meta.value()?.parse()?)?),
                "min" => options.min = Some(meta.value()?.parse()?),
                "max" => options.max = Some(meta.value()?.parse()?),
                "validate" => options.validate = Some(meta.value()?.parse()?),
                "private" => options.private = true,
                other => {
                    return Err(meta.error(format!(
                        "`{other}` is no option of a field: known are max_length, min_length, unique, index, primary_key, default, auto_now, auto_now_add, column, digits, scale, on_delete, min, max, validate, private"
                    )));
                }
            }
            Ok(())
        })?;
    }
    Ok(options)
}

fn on_delete(rule: &LitStr) -> syn::Result<TokenStream> {
    let variant = match rule.value().as_str() {
        "cascade" => "Cascade",
        "protect" => "Protect",
        "set_null" => "SetNull",
        "do_nothing" => "DoNothing",
        other => {
            return Err(Error::new(
                rule.span(),
                format!("`{other}` is none of \"cascade\", \"protect\", \"set_null\", \"do_nothing\""),
            ));
        }
    };
    let variant = Ident::new(variant, rule.span());
    Ok(quote!(::covet::__private::OnDelete::#variant))
}

fn index_columns(columns: &[(Ident, bool)]) -> TokenStream {
    let names = columns.iter().map(|(name, _)| name.to_string());
    let descending = columns.iter().map(|(_, descending)| descending);
    quote!(&[#(::covet::__private::IndexColumn { field: #names, descending: #descending }),*])
}

/// One field as static data.
fn field_meta(field: &Field) -> TokenStream {
    let Field { name, ty, options } = field;
    let text = unraw(name);
    let mut meta = quote_spanned!(ty.span()=> ::covet::__private::FieldMeta::of::<#ty>(#text));
    if let Some(characters) = &options.max_length {
        meta = quote!(#meta.max_length(#characters));
    }
    if options.digits.is_some() || options.scale.is_some() {
        let digits = options.digits.clone().unwrap_or_else(|| LitInt::new("18", Span::call_site()));
        let scale = options.scale.clone().unwrap_or_else(|| LitInt::new("2", Span::call_site()));
        meta = quote!(#meta.decimal(#digits, #scale));
    }
    if options.unique {
        meta = quote!(#meta.unique());
    }
    if options.index {
        meta = quote!(#meta.indexed());
    }
    if options.primary_key {
        meta = quote!(#meta.primary_key());
    }
    if let Some(column) = &options.column {
        meta = quote!(#meta.column(#column));
    }
    if let Some(rule) = &options.on_delete {
        meta = quote!(#meta.on_delete(#rule));
    }
    if let Some(default) = &options.default {
        meta = quote_spanned!(default.span()=> #meta.default(|| ::covet::__private::default::<#ty>(#default)));
    }
    if options.auto_now {
        meta = quote!(#meta.auto_now());
    }
    meta
}

fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

/// The rules of a field that the plugin itself checks.
fn field_check(field: &Field) -> TokenStream {
    let Field { name, ty, options } = field;
    let text = unraw(name);
    let ready = quote_spanned!(ty.span()=> <#ty as ::covet::model::Field>::ready);
    let mut checks = vec![quote! {
        if let ::core::result::Result::Err(reason) = #ready(&self.#name) {
            return ::core::result::Result::Err(::covet::__private::refused(#text, reason));
        }
    }];
    let bare = quote_spanned!(ty.span()=> <#ty as ::covet::model::Field>::bare(&self.#name));
    let longer = quote_spanned!(ty.span()=> ::covet::__private::longer_than);
    let mut rule = |broken: TokenStream, reason: TokenStream| {
        checks.push(quote! {
            if let ::core::option::Option::Some(value) = #bare && #broken {
                return ::core::result::Result::Err(::covet::__private::refused(#text, #reason));
            }
        });
    };
    if let Some(min) = &options.min {
        let shown = show(min);
        rule(quote!(*value < (#min)), quote!(::core::concat!("must be at least ", #shown)));
    }
    if let Some(max) = &options.max {
        let shown = show(max);
        rule(quote!(*value > (#max)), quote!(::core::concat!("must be at most ", #shown)));
    }
    if let Some(min) = &options.min_length {
        let shown = min.base10_digits();
        rule(
            quote!(!#longer(value, (#min as usize).saturating_sub(1))),
            quote!(::core::concat!("must have at least ", #shown, " characters")),
        );
    }
    if let Some(max) = &options.max_length {
        let shown = max.base10_digits();
        rule(
            quote!(#longer(value, #max as usize)),
            quote!(::core::concat!("must have at most ", #shown, " characters")),
        );
    }
    if let Some(validate) = &options.validate {
        checks.push(quote! {
            if let ::core::option::Option::Some(value) = #bare
                && let ::core::result::Result::Err(reason) = #validate(value)
            {
                return ::core::result::Result::Err(::covet::__private::refused(#text, reason));
            }
        });
    }
    quote!(#(#checks)*)
}

fn show(expr: &Expr) -> String {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(lit), .. }) => lit.base10_digits().to_owned(),
        Expr::Lit(ExprLit { lit: Lit::Float(lit), .. }) => lit.base10_digits().to_owned(),
        other => quote!(#other).to_string().replace("- ", "-"),
    }
}

fn write(input: &DeriveInput, options: &ModelOptions, fields: &[Field], key: usize) -> TokenStream {
    let model = &input.ident;
    let model_name = model.to_string();
    let table = options.table.as_ref().map_or_else(|| format!("{}s", snake_case(&model_name)), LitStr::value);
    let key_name = &fields[key].name;
    let key_type = &fields[key].ty;
    let key_index = key as u8;
    let metas = fields.iter().map(field_meta);
    let ordering = index_columns(&options.ordering);
    let indexes = options.indexes.iter().map(|(columns, unique)| {
        let columns = index_columns(columns);
        quote!(::covet::__private::IndexMeta { columns: #columns, unique: #unique })
    });
    let names: Vec<&Ident> = fields.iter().map(|field| &field.name).collect();
    let types: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let numbers: Vec<u8> = (0..fields.len() as u8).collect();
    let checks = fields.iter().map(field_check);
    let spanned = |function: &str| {
        let function = format_ident!("{function}");
        types.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as ::covet::model::Field>::#function)).collect::<Vec<_>>()
    };
    let (encodes, attaches) = (spanned("encode"), spanned("attach"));
    let decodes =
        fields.iter().map(|Field { ty, .. }| quote_spanned!(ty.span()=> <#ty as ::covet::model::Field>::decode(d)?));

    let touch = |when: fn(&FieldOptions) -> bool| {
        let touched = fields.iter().filter(move |field| when(&field.options)).map(|field| {
            let Field { name, ty, .. } = field;
            quote_spanned!(ty.span()=> self.#name = <#ty as ::covet::model::Now>::at(now);)
        });
        quote!(#(#touched)*)
    };
    let always = touch(|options| options.auto_now);
    let first = touch(|options| options.auto_now_add && !options.auto_now);

    let moment = fields
        .iter()
        .any(|field| field.options.auto_now || field.options.auto_now_add)
        .then(|| quote!(let now = ::covet::__private::now();));

    let columns = fields.iter().enumerate().map(|(index, Field { name, ty, .. })| {
        let index = index as u8;
        let doc = format!("The column `{}`.", unraw(name));
        quote! {
            #[doc = #doc]
            pub const fn #name() -> ::covet::query::Column<#model, #ty> {
                ::covet::query::Column::at(#index)
            }
        }
    });

    let (to_json, serialize) = if options.serialize == Some(false) {
        (quote!(::covet::__private::serde::Serialize::serialize(self, serializer)), None)
    } else {
        let shown: Vec<&Field> = fields.iter().filter(|field| !field.options.private).collect();
        let count = shown.len();
        let values = shown
            .iter()
            .map(|Field { name, ty, .. }| quote_spanned!(ty.span()=> &::covet::__private::AsJson::<#ty>(&self.#name)));
        let texts = shown.iter().map(|field| unraw(&field.name));
        let body = quote! {
            use ::covet::__private::serde::ser::SerializeStruct as _;
            let mut fields = serializer.serialize_struct(#model_name, #count)?;
            #(fields.serialize_field(#texts, #values)?;)*
            fields.end()
        };
        let implementation = quote! {
            impl ::covet::__private::serde::Serialize for #model {
                fn serialize<S: ::covet::__private::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    ::covet::Model::to_json(self, serializer)
                }
            }
        };
        (body, Some(implementation))
    };

    let default = options.default.then(|| {
        let values = fields.iter().map(|Field { ty, options, .. }| match &options.default {
            Some(value) => quote_spanned!(value.span()=> ::covet::__private::IntoField::<#ty>::into_field(#value)),
            None => quote_spanned!(ty.span()=> <#ty as ::core::default::Default>::default()),
        });
        quote! {
            impl ::core::default::Default for #model {
                fn default() -> Self {
                    #model { #(#names: #values),* }
                }
            }
        }
    });

    quote! {
        #[automatically_derived]
        #[allow(dead_code)] // Few programs use the columns of every field.
        impl #model {
            #(#columns)*
        }

        #[automatically_derived]
        #[allow(clippy::neg_cmp_op_on_partial_ord, clippy::manual_range_contains, clippy::len_zero, unused_comparisons)]
        impl ::covet::Model for #model {
            type Key = #key_type;

            fn meta() -> &'static ::covet::__private::ModelMeta {
                static META: ::covet::__private::ModelMeta = ::covet::__private::ModelMeta::new(
                    #model_name,
                    #table,
                    &[#(#metas),*],
                    &[#(#indexes),*],
                    #ordering,
                    #key_index,
                );
                &META
            }

            fn key(&self) -> &Self::Key {
                &self.#key_name
            }

            fn set_key(&mut self, key: Self::Key) {
                self.#key_name = key;
            }

            fn decode(
                d: &mut ::covet::__private::Decoder<'_>,
            ) -> ::core::result::Result<Self, ::covet::__private::DecodeError> {
                ::core::result::Result::Ok(#model { #(#names: #decodes),* })
            }

            fn encode_field(&self, field: u8, out: &mut ::std::vec::Vec<u8>) {
                match field {
                    #(#numbers => #encodes(&self.#names, out),)*
                    _ => {}
                }
            }

            fn attach(
                &mut self,
                field: u8,
                path: &[u8],
                d: &mut ::covet::__private::Decoder<'_>,
            ) -> ::core::result::Result<(), ::covet::__private::DecodeError> {
                match field {
                    #(#numbers => #attaches(&mut self.#names, path, d),)*
                    _ => d.skip(),
                }
            }

            fn to_json<S: ::covet::__private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                #to_json
            }

            fn touch(&mut self, new: bool) {
                #moment
                #always
                if new {
                    #first
                }
            }

            fn check(&self) -> ::covet::Result<()> {
                #(#checks)*
                ::core::result::Result::Ok(())
            }
        }

        #serialize
        #default
    }
}
