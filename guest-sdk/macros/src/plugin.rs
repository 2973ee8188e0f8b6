//! `covet::plugin! { models: […], routes: […] }`

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Path, Token, bracketed};

#[derive(Default)]
pub(crate) struct Plugin {
    name: Option<Expr>,
    version: Option<Expr>,
    models: Vec<Path>,
    routes: Vec<Path>,
}

impl Parse for Plugin {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut plugin = Plugin::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "name" => plugin.name = Some(input.parse()?),
                "version" => plugin.version = Some(input.parse()?),
                "models" => plugin.models = paths(input)?,
                "routes" => plugin.routes = paths(input)?,
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!(
                            "`{other}` is none of `models`, `routes`, `name`, `version`\nhelp: write `covet::plugin! {{ models: [Post], routes: [index, show] }}`"
                        ),
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(plugin)
    }
}

fn paths(input: ParseStream<'_>) -> syn::Result<Vec<Path>> {
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<Path, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

pub(crate) fn expand(plugin: Plugin) -> syn::Result<TokenStream> {
    let Plugin { name, version, models, routes } = plugin;
    let name = name.map_or_else(|| quote!(::core::env!("CARGO_PKG_NAME")), |name| quote!(#name));
    let version = version.map_or_else(|| quote!(::core::env!("CARGO_PKG_VERSION")), |v| quote!(#v));
    let indexes = 0..routes.len() as u32;
    Ok(quote! {
        #[doc(hidden)]
        #[allow(unexpected_cfgs, unused_qualifications)]
        const _: () = {
            struct CovetPlugin;

            impl ::covet::bindings::exports::covet::plugin::description::Guest for CovetPlugin {
                fn describe() -> ::covet::bindings::exports::covet::plugin::description::PluginDescription {
                    ::covet::plugin::describe(
                        #name,
                        #version,
                        &[#(<#routes as ::covet::plugin::Handler>::ROUTE),*],
                        &[#(<#models as ::covet::Model>::meta()),*],
                    )
                }
            }

            impl ::covet::bindings::exports::covet::http::handler::Guest for CovetPlugin {
                async fn serve() {
                    ::covet::plugin::serve(async |route, request| match route {
                        #(#indexes => <#routes as ::covet::plugin::Handler>::call(request).await,)*
                        other => {
                            let _ = request;
                            ::covet::plugin::no_such_route(other)
                        }
                    })
                    .await
                }
            }

            #[cfg(target_family = "wasm")]
            ::covet::bindings::export_plugin!(CovetPlugin with_types_in ::covet::bindings);

            // The names of the exports are for wasm, native linkers choke on them. What they reach is in use all the same.
            #[cfg(not(target_family = "wasm"))]
            #[used]
            static IN_USE: (fn() -> ::covet::bindings::exports::covet::plugin::description::PluginDescription, fn()) = {
                use ::covet::bindings::exports::covet::{http::handler, plugin::description};
                (<CovetPlugin as description::Guest>::describe, || {
                    ::core::mem::drop(<CovetPlugin as handler::Guest>::serve())
                })
            };
        };
    })
}
