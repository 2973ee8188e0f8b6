//! Relations to many: `related_name` of a relation to one, and fields of type `ManyToMany` and `Related`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Ident, Type, Visibility};

use super::{Field, argument, named, unraw};
use crate::snake_case;

/// A field that is no column: rows that belong to this one.
pub(super) struct Rows {
    pub field: Field,
    /// Their model.
    pub model: Type,
    /// A table between joins them; else they point here.
    pub joined: bool,
}

/// Tells a field of rows by the name of its type.
pub(super) fn rows(field: Field) -> Result<Rows, Box<Field>> {
    let joined = named(&field.ty, "ManyToMany");
    match joined.or_else(|| named(&field.ty, "Related")).and_then(argument) {
        Some(model) => Ok(Rows { model: model.clone(), joined: joined.is_some(), field }),
        None => Err(Box::new(field)),
    }
}

pub(super) fn check(model: &Ident, fields: &[Field], rows: &[Rows]) -> syn::Result<()> {
    for field in fields {
        let options = &field.options;
        if options.through.is_some() || options.through_fields.is_some() || options.symmetrical {
            return Err(Error::new(
                field.name.span(),
                "through, through_fields and symmetrical belong to ManyToMany fields",
            ));
        }
        if options.related_name.is_some() && target(&field.ty).is_none() {
            return Err(Error::new(
                field.name.span(),
                "related_name belongs to relations: ForeignKey, OneToOne and ManyToMany fields",
            ));
        }
    }
    for rows in rows {
        let options = &rows.field.options;
        if options.symmetrical && (!rows.joined || type_name(&rows.model, model) != *model) {
            return Err(Error::new(
                rows.field.name.span(),
                format!("symmetrical belongs to a relation of a model to itself: ManyToMany<{model}>"),
            ));
        }
        if !rows.joined && (options.related_name.is_some() || options.through.is_some()) {
            return Err(Error::new(
                rows.field.name.span(),
                "a Related field keeps rows that point here: write related_name at the relation that does",
            ));
        }
        if options.through_fields.is_some() && options.through.is_none() {
            return Err(Error::new(rows.field.name.span(), "through_fields(here, there) goes with through = Model"));
        }
    }
    Ok(())
}

/// The model that a relation to one points to.
fn target(ty: &Type) -> Option<&Type> {
    let inner = named(ty, "Option").and_then(argument).unwrap_or(ty);
    named(inner, "ForeignKey").or_else(|| named(inner, "OneToOne")).and_then(argument)
}

/// The last word of a type's path; of what is none, and does not compile anyway, the model's name.
fn type_name(ty: &Type, model: &Ident) -> Ident {
    match ty {
        Type::Path(path) => path.path.segments.last().map_or_else(|| model.clone(), |segment| segment.ident.clone()),
        _ => model.clone(),
    }
}

/// `HTTPServer`, `posts` → `HTTPServerPosts`
fn camel(owner: &Ident, field: &str) -> String {
    let mut name = owner.to_string();
    for word in field.split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    name
}

/// Stands for a relation's name among the types: FNV-1a, 64 bits.
fn name_number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `Author::posts()` and `author.posts()`: the function of the type is inherent; beside it no method can be, so that the method
/// is a trait's, which is in scope wherever the model's module is imported whole.
struct Accessor<'a> {
    owner: TokenStream,
    owner_name: Ident,
    name: &'a Ident,
    rows: &'a TokenStream,
    vis: &'a Visibility,
}

impl Accessor<'_> {
    fn write(&self, link: &TokenStream, set: &TokenStream, made: &TokenStream) -> TokenStream {
        let Accessor { owner, owner_name, name, rows, vis } = self;
        let text = unraw(name);
        let number = name_number(&text);
        let method = format_ident!("{}Relation", camel(owner_name, &text));
        let doc = format!("The relation `{text}`: rows that belong to one of `{owner_name}`.");
        let method_doc = format!("Gives each `{owner_name}` its `{text}()`.");
        quote! {
            #[automatically_derived]
            #[allow(dead_code)]
            impl #owner {
                #[doc = #doc]
                #vis fn #name() -> ::covet::model::Many<#owner, #rows, #number> {
                    static LINK: ::covet::__private::LinkMeta = #link;
                    ::covet::model::Many::new(&LINK)
                }
            }
            #[doc = #method_doc]
            #[allow(dead_code)]
            #vis trait #method {
                #[doc = #doc]
                fn #name(&self) -> #set;
            }
            #[automatically_derived]
            impl #method for #owner {
                fn #name(&self) -> #set {
                    #made
                }
            }
        }
    }
}

/// What a relation with a `related_name` gives the model that it points to.
pub(super) fn pointing(model: &Ident, vis: &Visibility, field: &Field) -> Option<TokenStream> {
    let related_name = field.options.related_name.as_ref()?;
    let target = target(&field.ty)?;
    let owner = quote!(#target);
    let Field { name: by, .. } = field;
    let by_text = unraw(by);
    let meta = quote!(<#model as ::covet::Model>::meta);
    let rows = quote!(#model);
    let accessor =
        Accessor { owner: owner.clone(), owner_name: type_name(target, model), name: related_name, rows: &rows, vis };
    let made = quote_spanned! {field.ty.span()=>
        ::covet::query::PointingRows::new(self, #model::#by(), |row, key| {
            // The relation may be nullable, or may not.
            #[allow(clippy::useless_conversion)]
            let key = ::core::convert::From::from(key);
            row.#by = key;
        })
    };
    Some(accessor.write(
        &quote!(::covet::__private::LinkMeta::new(#meta, #by_text, ::core::option::Option::None, #meta)),
        &quote!(::covet::query::PointingRows<#owner, #model>),
        &made,
    ))
}

/// A relation by a table between, and what it gives both ends.
pub(super) struct Joined {
    pub items: TokenStream,
    /// The model of the table between, when it is made here.
    pub between: Option<Ident>,
}

pub(super) fn joined(model: &Ident, table: &str, vis: &Visibility, rows: &Rows) -> Joined {
    let Rows { field, model: other, .. } = rows;
    let options = &field.options;
    let (other_name, other) = (type_name(other, model), quote!(#other));
    let text = unraw(&field.name);
    let (here, there) = match &options.through_fields {
        Some((here, there)) => (here.clone(), there.clone()),
        None => {
            let (here, there) = (snake_case(&model.to_string()), snake_case(&other_name.to_string()));
            if here == there {
                (format_ident!("from_{here}"), format_ident!("to_{there}"))
            } else {
                (format_ident!("{here}"), format_ident!("{there}"))
            }
        }
    };
    let (here_text, there_text) = (unraw(&here), unraw(&there));
    let own = format_ident!("{}Link", camel(model, &text));
    let (link, made) = match &options.through {
        Some(through) => (quote!(#through), quote!(..::core::default::Default::default())),
        None => (quote!(#own), quote!(id: ::covet::Id::unsaved())),
    };
    let between = options.through.is_none().then(|| {
        let table = format!("{table}_{text}");
        let doc = format!("Joins each `{model}` to its `{text}`.");
        quote! {
            #[doc = #doc]
            #[derive(::covet::Model)]
            #[model(table = #table, unique(#here, #there))]
            #[allow(missing_docs, missing_debug_implementations)]
            #vis struct #own {
                pub id: ::covet::Id<#own>,
                pub #here: ::covet::ForeignKey<#model>,
                pub #there: ::covet::ForeignKey<#other>,
            }
        }
    });
    let meta = |ty: &TokenStream| quote!(<#ty as ::covet::Model>::meta);
    let (link_meta, model_meta, other_meta) = (meta(&link), meta(&quote!(#model)), meta(&other));
    let some = |text: &str| quote!(::core::option::Option::Some(#text));
    let (some_here, some_there) = (some(&here_text), some(&there_text));
    let forth = quote!(::covet::__private::LinkMeta::new(#link_meta, #here_text, #some_there, #other_meta));
    let back = quote!(::covet::__private::LinkMeta::new(#link_meta, #there_text, #some_here, #model_meta));
    let mirror = if options.symmetrical {
        quote! {
            mirrored: ::core::option::Option::Some(|here, there| #link { #here: there, #there: here, #made }),
            mirror: ::core::option::Option::Some((#link::#here(), #link::#there())),
        }
    } else {
        quote!(mirrored: ::core::option::Option::None, mirror: ::core::option::Option::None,)
    };
    let set =
        |back: &TokenStream, from: &TokenStream, to: &TokenStream, by: &Ident, onward: &Ident, mirror: &TokenStream| {
            quote_spanned! {field.ty.span()=>
                static BACK: ::covet::__private::LinkMeta = #back;
                ::covet::query::JoinedRows::new(
                    self,
                    ::covet::model::Many::<#to, #from, 0>::new(&BACK),
                    ::covet::query::Between {
                        by: #link::#by(),
                        onward: #link::#onward(),
                        make: |here, there| #link { #by: here, #onward: there, #made },
                        #mirror
                    },
                )
            }
        };
    let this = quote!(#model);
    let accessor = Accessor { owner: this.clone(), owner_name: model.clone(), name: &field.name, rows: &other, vis };
    let own_end = accessor.write(
        &forth,
        &quote!(::covet::query::JoinedRows<#model, #other, #link>),
        &set(&back, &this, &other, &here, &there, &mirror),
    );
    let other_end = options.related_name.as_ref().map(|name| {
        let accessor = Accessor { owner: other.clone(), owner_name: other_name.clone(), name, rows: &this, vis };
        let plain = quote!(mirrored: ::core::option::Option::None, mirror: ::core::option::Option::None,);
        accessor.write(
            &back,
            &quote!(::covet::query::JoinedRows<#other, #model, #link>),
            &set(&forth, &other, &this, &there, &here, &plain),
        )
    });
    Joined { items: quote!(#between #own_end #other_end), between: options.through.is_none().then_some(own) }
}

/// Where the rows of a field are kept.
pub(super) fn keeps(model: &Ident, rows: &Rows) -> TokenStream {
    let Rows { field, model: other, .. } = rows;
    let name = &field.name;
    let number = name_number(&unraw(name));
    quote_spanned! {field.ty.span()=>
        #[automatically_derived]
        impl ::covet::model::Keeps<#number> for #model {
            type Row = #other;
            fn place(&mut self) -> &mut ::covet::model::Related<#other> {
                &mut self.#name
            }
        }
    }
}
