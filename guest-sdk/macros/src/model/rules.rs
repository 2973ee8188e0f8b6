//! The rules of a field that the plugin checks before it asks the host.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitInt, UnOp};

use super::{Field, options, unraw};

/// The rules of a field that the plugin itself checks.
pub(super) fn field_check(field: &Field) -> TokenStream {
    let Field { name, ty, options } = field;
    let text = unraw(name);
    let ready = quote_spanned!(ty.span()=> <#ty as ::covet::model::Field>::ready);
    let mut checks = vec![quote! {
        if let ::core::result::Result::Err(reason) = #ready(&self.#name) {
            return ::core::result::Result::Err(::covet::__private::refused(#text, reason));
        }
    }];
    let bare = quote_spanned!(ty.span()=> <#ty as ::covet::model::Field>::bare(&self.#name));
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
    if !options.choices.is_empty() && options::texts(&options.choices).is_none() {
        let choices = &options.choices;
        let shown = choices.iter().map(show).collect::<Vec<_>>().join(", ");
        rule(quote!(![#(#choices),*].contains(value)), quote!(::core::concat!("must be one of: ", #shown)));
    }
    let mut length = |function: TokenStream, limit: &LitInt| {
        checks.push(quote! {
            if let ::core::option::Option::Some(value) = #bare
                && let ::core::option::Option::Some(reason) = #function(value, #limit)
            {
                return ::core::result::Result::Err(::covet::__private::refused(#text, reason));
            }
        });
    };
    if let Some(least) = &options.min_length {
        length(quote_spanned!(ty.span()=> ::covet::__private::too_short), least);
    }
    if let Some(most) = &options.max_length {
        length(quote_spanned!(ty.span()=> ::covet::__private::too_long), most);
    }
    for validate in &options.validators {
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

/// A whole number, for the rule of the table.
pub(super) fn whole(expr: &Expr) -> Option<TokenStream> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(lit), .. }) => {
            let digits = lit.base10_parse::<i64>().ok()?;
            Some(quote!(#digits))
        }
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => {
            let positive = whole(expr)?;
            Some(quote!(-#positive))
        }
        _ => None,
    }
}
