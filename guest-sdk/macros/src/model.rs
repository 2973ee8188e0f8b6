//! `#[derive(Model)]`

mod options;
mod relations;
mod rules;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Expr, Fields, GenericArgument, Ident, LitInt, LitStr, PathArguments, PathSegment, Type,
};

use self::options::{DefaultValue, FieldOptions, Index, ModelOptions, OnDelete, field_options, model_options};
use self::relations::Rows;
use self::rules::field_check;

use crate::snake_case;

/// Functions that every model has; a field of that name would hide them.
const TAKEN: [&str; 12] =
    ["objects", "get", "save", "save_fields", "delete", "refresh", "key", "meta", "check", "touch", "attach", "decode"];

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
    let mut columns = Vec::with_capacity(fields.len());
    let mut rows = Vec::new();
    for field in fields {
        match relations::rows(field) {
            Ok(field) => rows.push(field),
            Err(column) => columns.push(*column),
        }
    }
    check_names(name, &options, &columns)?;
    relations::check(name, &columns, &rows)?;
    let key = primary_key(name, &columns)?;
    Ok(write(&input, &options, &columns, &rows, key))
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
    let named = options.indexes.iter().flat_map(|index| &index.columns).chain(&options.ordering);
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
    let is_id = |field: &Field| named(&field.ty, "Id").is_some();
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

/// The last segment of a type's path, when it has this name.
fn named<'t>(ty: &'t Type, name: &str) -> Option<&'t PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last().filter(|segment| segment.ident == name),
        _ => None,
    }
}

/// The type in the angle brackets behind a name.
fn argument(segment: &PathSegment) -> Option<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    }
}

/// `name<…>`, or an `Option` of it.
fn is_named(ty: &Type, name: &str) -> bool {
    let inner = named(ty, "Option").and_then(argument).unwrap_or(ty);
    named(inner, name).is_some()
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
    if options.unique || is_named(ty, "OneToOne") {
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
    if let Some(DefaultValue::Constant(default)) = &options.default {
        meta = quote_spanned!(default.span()=> #meta.default(|| ::covet::__private::default::<#ty>(#default)));
    }
    match &options.on_delete {
        Some(OnDelete::Rule(rule)) => {
            meta = quote!(#meta.on_delete(::covet::__private::OnDelete::#rule));
        }
        Some(OnDelete::Set(key)) => {
            let value = quote_spanned!(key.span()=> || ::covet::__private::key_of::<#ty>(#key));
            meta = quote!(#meta.on_delete(::covet::__private::OnDelete::Set(#value)));
        }
        None => {}
    }
    if let Some(choices) = options::texts(&options.choices).filter(|choices| !choices.is_empty()) {
        meta = quote!(#meta.choices(&[#(#choices),*]));
    }
    if let Some(min) = options.min.as_ref().and_then(rules::whole) {
        meta = quote!(#meta.min(#min));
    }
    if let Some(max) = options.max.as_ref().and_then(rules::whole) {
        meta = quote!(#meta.max(#max));
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

fn write(input: &DeriveInput, options: &ModelOptions, fields: &[Field], rows: &[Rows], key: usize) -> TokenStream {
    let model = &input.ident;
    let model_name = model.to_string();
    let table = options.table.as_ref().map_or_else(|| format!("{}s", snake_case(&model_name)), LitStr::value);
    let key_name = &fields[key].name;
    let key_type = &fields[key].ty;
    let key_index = key as u8;
    let metas = fields.iter().map(field_meta);
    let ordering = index_columns(&options.ordering);
    let some = |value: Option<TokenStream>| match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    };
    let condition =
        |condition: &Expr| quote_spanned!(condition.span()=> || ::covet::__private::condition::<#model>(#condition));
    let indexes = options.indexes.iter().map(|index| {
        let columns = index_columns(&index.columns);
        let Index { unique, folded, .. } = index;
        let name = some(index.name.as_ref().map(|name| quote!(#name)));
        let condition = some(index.condition.as_ref().map(condition));
        quote! {
            ::covet::__private::IndexMeta {
                columns: #columns,
                unique: #unique,
                name: #name,
                folded: #folded,
                condition: #condition,
            }
        }
    });
    let table_checks = options.checks.iter().map(|check| {
        let name = some(check.name.as_ref().map(|name| quote!(#name)));
        let condition = condition(&check.condition);
        quote!(::covet::__private::CheckMeta { name: #name, condition: #condition })
    });
    let unmanaged = (options.managed == Some(false)).then(|| quote!(.unmanaged()));
    let limited = options.max_query_limit.as_ref().map(|rows| quote!(.max_query_limit(#rows)));
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

    let hooks = (!options.hooks).then(|| {
        quote! {
            #[automatically_derived]
            impl ::covet::model::Hooks for #model {}
        }
    });
    let identity = options.identity.then(|| {
        quote! {
            /// The same row: by its key; a row that is not stored yet is only itself.
            #[automatically_derived]
            impl ::core::cmp::PartialEq for #model {
                fn eq(&self, other: &Self) -> bool {
                    ::core::ptr::eq(self, other)
                        || (::covet::model::Key::is_set(&self.#key_name) && self.#key_name == other.#key_name)
                }
            }
            #[automatically_derived]
            impl ::core::cmp::Eq for #model {}
            #[automatically_derived]
            impl ::core::hash::Hash for #model {
                fn hash<H: ::core::hash::Hasher>(&self, state: &mut H) {
                    ::core::hash::Hash::hash(&self.#key_name, state);
                }
            }
        }
    });
    let absent: Vec<&Ident> = rows.iter().map(|rows| &rows.field.name).collect();
    let mut relations: Vec<TokenStream> =
        fields.iter().filter_map(|field| relations::pointing(model, &input.vis, field)).collect();
    let mut between = Vec::new();
    for rows in rows {
        relations.push(relations::keeps(model, rows));
        if rows.joined {
            let joined = relations::joined(model, &table, &input.vis, rows);
            relations.push(joined.items);
            between.extend(joined.between);
        }
    }
    let between = (!between.is_empty()).then(|| quote!(.between(&[#(<#between as ::covet::Model>::meta),*])));

    let (to_json, serialize) = if options.serialize == Some(false) {
        (quote!(::covet::__private::serde::Serialize::serialize(self, serializer)), None)
    } else {
        let shown: Vec<&Field> = fields.iter().filter(|field| !field.options.private).collect();
        let count = shown.len();
        let kept: Vec<&Ident> =
            rows.iter().filter(|rows| !rows.field.options.private).map(|rows| &rows.field.name).collect();
        let kept_texts = kept.iter().map(|name| unraw(name));
        let values = shown
            .iter()
            .map(|Field { name, ty, .. }| quote_spanned!(ty.span()=> &::covet::__private::AsJson::<#ty>(&self.#name)));
        let texts = shown.iter().map(|field| unraw(&field.name));
        let body = quote! {
            use ::covet::__private::serde::ser::SerializeStruct as _;
            let count = #count #(+ usize::from(self.#kept.loaded().is_some()))*;
            let mut fields = serializer.serialize_struct(#model_name, count)?;
            #(fields.serialize_field(#texts, #values)?;)*
            #(
                if self.#kept.loaded().is_some() {
                    fields.serialize_field(#kept_texts, &self.#kept)?;
                }
            )*
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
            Some(DefaultValue::Constant(value)) => {
                quote_spanned!(value.span()=> ::covet::__private::IntoField::<#ty>::into_field(#value))
            }
            Some(DefaultValue::Factory(make)) => {
                quote_spanned!(make.span()=> ::covet::__private::IntoField::<#ty>::into_field(#make()))
            }
            None => quote_spanned!(ty.span()=> <#ty as ::core::default::Default>::default()),
        });
        quote! {
            impl ::core::default::Default for #model {
                fn default() -> Self {
                    #model { #(#names: #values,)* #(#absent: ::covet::model::Related::absent()),* }
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
                )
                .checks(&[#(#table_checks),*])
                #between
                #unmanaged
                #limited;
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
                ::core::result::Result::Ok(#model {
                    #(#names: #decodes,)*
                    #(#absent: ::covet::model::Related::absent()),*
                })
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
        #hooks
        #identity
        #(#relations)*
    }
}
