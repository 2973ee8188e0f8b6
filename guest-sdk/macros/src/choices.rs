//! `#[derive(Choices)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, LitStr};

use crate::snake_case;

pub(crate) fn expand(input: DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(input.span(), "`Choices` is for enums: a field that holds one of a few words"));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "an enum of choices has no generics"));
    }
    if data.variants.is_empty() {
        return Err(Error::new(name.span(), "an enum of choices needs a variant"));
    }
    let mut variants = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new(
                variant.span(),
                "a choice holds no data: write `Variant` alone, or use a Json<T> field for an enum with data",
            ));
        }
        let mut text = snake_case(&variant.ident.to_string());
        for attribute in variant.attrs.iter().filter(|a| a.path().is_ident("choice")) {
            text = attribute.parse_args::<LitStr>()?.value();
        }
        if texts.contains(&text) {
            return Err(Error::new(
                variant.span(),
                format!("two choices are stored as {text:?}: rename one with #[choice(\"…\")]"),
            ));
        }
        texts.push(text);
        variants.push(&variant.ident);
    }
    let expected = format!("one of: {}", texts.join(", "));
    Ok(quote! {
        const _: () = {
            use ::covet::__private::{Decoder, DecodeError, serde};
            use ::covet::model::{Field, Ordered, Scalar, meta::Kind};

            impl #name {
                /// Every choice, in the order of the enum.
                pub const ALL: &'static [#name] = &[#(#name::#variants),*];

                /// The text that is stored.
                pub const fn as_str(&self) -> &'static str {
                    match self { #(#name::#variants => #texts,)* }
                }
            }

            impl Field for #name {
                type Bare = Self;
                type Nullable = ::core::option::Option<Self>;
                const KIND: Kind = Kind::Enumeration(&[#(#texts),*]);
                fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                    ::covet::__private::text(self.as_str(), out);
                }
                fn decode(d: &mut Decoder<'_>) -> ::core::result::Result<Self, DecodeError> {
                    ::covet::__private::choice(d, &[#((#name::#variants, #texts)),*])
                }
                fn bare(&self) -> ::core::option::Option<&Self> {
                    ::core::option::Option::Some(self)
                }
                fn json<S: serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }
            impl Scalar for #name {}
            impl Ordered for #name {}

            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.pad(self.as_str())
                }
            }
            impl ::core::str::FromStr for #name {
                type Err = &'static str;
                fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                    match text {
                        #(#texts => ::core::result::Result::Ok(#name::#variants),)*
                        _ => ::core::result::Result::Err(#expected),
                    }
                }
            }
            impl serde::Serialize for #name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }
            impl<'de> serde::Deserialize<'de> for #name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    let text = <::std::string::String as serde::Deserialize>::deserialize(deserializer)?;
                    text.parse().map_err(|_| serde::de::Error::unknown_variant(&text, &[#(#texts),*]))
                }
            }
        };
    })
}
