//! `#[get("/posts/{id}")]` and its siblings.
//!
//! The function stays as it is. Beside it a type of the same name is declared (types and functions have namespaces of
//! their own), which `plugin!` finds by the function's path. It is `pub`, so that a handler need not be.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, LitStr, Pat, Type};

pub(crate) fn expand(method: &str, path: &LitStr, function: &ItemFn) -> syn::Result<TokenStream> {
    let params = params(path)?;
    let signature = &function.sig;
    let name = &signature.ident;
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "a handler has no generics: the host calls it with what the request holds",
        ));
    }

    let mut taken = vec![false; params.len()];
    let mut whole = false; // An argument that may read all parameters.
    let mut reads = Vec::new();
    let mut types = Vec::new();
    let mut arguments = Vec::new();
    for (i, argument) in signature.inputs.iter().enumerate() {
        let FnArg::Typed(argument) = argument else {
            return Err(Error::new(argument.span(), "a handler is a free function, without self"));
        };
        let ty = &*argument.ty;
        if let Type::Reference(reference) = ty {
            return Err(Error::new(
                reference.span(),
                "a handler owns its arguments: write `String` for text, `Headers` for headers, `Request` for the whole request",
            ));
        }
        let variable = format_ident!("argument{i}");
        match param_of(&argument.pat, &params) {
            Some(index) => {
                taken[index] = true;
                let at = quote_spanned!(ty.span()=> <#ty as ::covet::http::FromParam>::from_param);
                reads.push(quote! {
                    let #variable = match #at(&request, #index) {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(error) => return ::covet::http::IntoResponse::into_response(error),
                    };
                });
            }
            None => {
                check_path_argument(ty, &params)?;
                whole |= last_segment(ty).is_none_or(|last| last == "Path" || last == "Request") || wraps_path(ty);
                let from = quote_spanned!(ty.span()=> <#ty as ::covet::http::FromRequest>::from_request);
                reads.push(quote! {
                    let #variable = match #from(&mut request).await {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(error) => return ::covet::http::IntoResponse::into_response(error),
                    };
                });
                types.push(ty);
            }
        }
        arguments.push(variable);
    }
    if let (Some(index), false) = (taken.iter().position(|taken| !taken), whole) {
        let param = &params[index];
        return Err(Error::new(
            path.span(),
            format!(
                "the path has `{{{param}}}`, and no argument of `{name}` takes it\n\
                 help: add an argument of that name: `{param}: i64` (or String, Id<M>, Uuid, … any FromStr), or take all with `Path(…): Path<T>`"
            ),
        ));
    }

    // Spanned by their types, so that a type that does not fit is reported once, where it stands.
    let streams = types.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as ::covet::http::FromRequest>::STREAM));
    let contents =
        types.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as ::covet::http::FromRequest>::BODY as usize));
    let method = format_ident!("{method}");
    let text = name.to_string();
    let await_ = signature.asyncness.map(|_| quote!(.await));
    let output = match &signature.output {
        syn::ReturnType::Default => name.span(),
        syn::ReturnType::Type(_, ty) => ty.span(),
    };
    let respond = quote_spanned!(output=> ::covet::http::IntoResponse::into_response(answer));
    let too_many = format!(
        "two arguments of `{name}` take the request's content, which can be read once: keep one of Json, Form, String, Bytes, Vec<u8>, BodyStream, Request"
    );
    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(non_camel_case_types, missing_docs)]
        pub struct #name {}

        impl ::covet::plugin::Handler for #name {
            const ROUTE: ::covet::plugin::Route = ::covet::plugin::Route {
                method: ::covet::plugin::Method::#method,
                path: #path,
                handler: #text,
                stream_body: false #(|| #streams)*,
            };

            #[allow(unused_mut, unused_variables, clippy::unit_arg, clippy::let_unit_value)]
            async fn call(request: ::covet::http::Request) -> ::covet::http::Response {
                const _: () = ::core::assert!(
                    0usize #(+ #contents)* <= 1,
                    #too_many
                );
                let mut request = request.named(&[#(#params),*]);
                #(#reads)*
                let answer = #name(#(#arguments),*) #await_;
                #respond
            }
        }
    })
}

/// The names of the parameters, in order.
fn params(path: &LitStr) -> syn::Result<Vec<String>> {
    let text = path.value();
    let fail = |message: String| Err(Error::new(path.span(), message));
    if !text.starts_with('/') {
        return fail(format!("a path starts with `/`: write \"/{text}\""));
    }
    if text.contains(['?', '#']) {
        return fail("a path has no query: take it with `Query(query): Query<T>`".into());
    }
    let mut names: Vec<String> = Vec::new();
    let segments: Vec<&str> = text[1..].split('/').collect();
    for (i, segment) in segments.iter().enumerate() {
        let Some(name) = segment.strip_prefix('{') else {
            if segment.contains(['{', '}']) {
                return fail(format!(
                    "a parameter fills a whole segment of the path, and `{segment}` has text around it"
                ));
            }
            if let Some(name) = segment.strip_prefix(':') {
                return fail(format!("a parameter is written in braces: `{{{name}}}`"));
            }
            continue;
        };
        let Some(name) = name.strip_suffix('}') else {
            return fail(format!("a parameter fills a whole segment of the path: `{segment}` is not `{{name}}`"));
        };
        let name = match name.strip_prefix('*') {
            Some(rest) if i + 1 == segments.len() => rest,
            Some(_) => {
                return fail(format!("`{segment}` takes all that follows, so it comes last"));
            }
            None => name,
        };
        if syn::parse_str::<syn::Ident>(name).is_err() {
            return fail(format!("`{name}` is no name for a parameter: it must be a Rust identifier"));
        }
        if names.iter().any(|known| known == name) {
            return fail(format!("the path has two parameters `{name}`"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// The parameter that an argument has the name of.
fn param_of(pattern: &Pat, params: &[String]) -> Option<usize> {
    match pattern {
        Pat::Ident(ident) => params.iter().position(|param| ident.ident == param),
        _ => None,
    }
}

/// `Path<(A, B)>` must have as many parts as the path has parameters.
fn check_path_argument(ty: &Type, params: &[String]) -> syn::Result<()> {
    let Some(inner) = generic_of(ty, "Path") else {
        return Ok(());
    };
    if params.is_empty() {
        return Err(Error::new(
            ty.span(),
            "the path has no parameters for `Path` to take: write them in braces, `/posts/{id}`",
        ));
    }
    match inner {
        Type::Tuple(tuple) if tuple.elems.len() != params.len() => Err(Error::new(
            tuple.span(),
            format!(
                "the path has {} ({}), and this takes {}",
                count(params.len()),
                params.join(", "),
                count(tuple.elems.len())
            ),
        )),
        _ => Ok(()),
    }
}

fn count(n: usize) -> String {
    match n {
        1 => "1 parameter".into(),
        n => format!("{n} parameters"),
    }
}

/// `Option<Path<T>>` and `Result<Path<T>>`.
fn wraps_path(ty: &Type) -> bool {
    ["Option", "Result"].iter().any(|outer| {
        generic_of(ty, outer)
            .is_some_and(|inner| last_segment(inner).is_some_and(|last| last == "Path" || last == "Request"))
    })
}

fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The first type argument of `name<…>`.
pub(crate) fn generic_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == name)?;
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
