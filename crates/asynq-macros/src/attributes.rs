//! The attributes of a function, sorted by the items that it expands to.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Meta};

/// First segments of the paths of attributes of the compiler and its tools that say something about a call.
const OF_CALLS: [&str; 13] = [
    "bench",
    "cfg",
    "cfg_attr",
    "clippy",
    "cold",
    "deprecated",
    "diagnostic",
    "doc",
    "ignore",
    "inline",
    "must_use",
    "rustfmt",
    "should_panic",
];

const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// Attributes of a function, each in the lists of all items that it applies to.
pub(crate) struct Attributes<'a> {
    /// Attributes of the plain call, which replaces the function.
    pub(crate) plain: Vec<&'a Attribute>,
    /// Attributes of the asynchronous call.
    pub(crate) asynchronous: Vec<&'a Attribute>,
    /// Attributes of the function with the body: also those of other macros, which thus apply to both calls.
    pub(crate) body: Vec<TokenStream>,
    /// Attributes of all other items: conditions, and `doc(hidden)`.
    pub(crate) conditions: Vec<&'a Attribute>,
    /// Attribute that lets the plain call use the deprecated asynchronous call.
    pub(crate) leniency: Option<TokenStream>,
}

impl<'a> Attributes<'a> {
    /// Sorts the attributes of the function `name`.
    pub(crate) fn sort(attributes: &'a [Attribute], name: &str) -> Self {
        let is = |attribute: &Attribute, names: &[&str]| {
            names.iter().any(|name| attribute.path().is_ident(name))
        };
        let is_condition = |attribute: &Attribute| {
            is(attribute, &["cfg"])
                || matches!(&attribute.meta, Meta::List(list)
                    if list.path.is_ident("doc") && list.tokens.to_string() == "hidden")
        };
        let is_of_body = |attribute: &Attribute| {
            is(attribute, &["cfg", "expect"])
                || is(attribute, &LINTS)
                || is_of_other_macro(attribute)
        };
        let list = |wanted: &dyn Fn(&Attribute) -> bool| {
            attributes.iter().filter(|attribute| wanted(attribute)).collect()
        };
        Self {
            // An expectation applies to the body; elsewhere nothing would fulfil it.
            plain: list(&|attribute| !is(attribute, &["expect"]) && !is_of_other_macro(attribute)),
            asynchronous: list(&|attribute| {
                is_condition(attribute) || is(attribute, &["deprecated"]) || is(attribute, &LINTS)
            }),
            body: list(&is_of_body).into_iter().map(|attribute| on_body(attribute, name)).collect(),
            conditions: list(&is_condition),
            leniency: attributes
                .iter()
                .any(|attribute| is(attribute, &["deprecated"]))
                .then(|| quote!(#[allow(deprecated, reason = "it is deprecated itself")])),
        }
    }
}

/// Returns whether an attribute is that of a macro, other than one for tests.
fn is_of_other_macro(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let (Some(first), Some(last)) = (path.segments.first(), path.segments.last()) else {
        return false;
    };
    let is_known = OF_CALLS.iter().chain(&LINTS).any(|name| first.ident == name);
    !(is_known || first.ident == "expect" || last.ident.to_string().contains("test"))
}

/// Returns an attribute of the function `name` for its body, which has another name: `#[instrument]` makes a span of
/// that.
fn on_body(attribute: &Attribute, name: &str) -> TokenStream {
    let path = attribute.path();
    if path.segments.last().is_none_or(|last| last.ident != "instrument") {
        return attribute.to_token_stream();
    }
    match &attribute.meta {
        Meta::Path(_) => quote!(#[#path(name = #name)]),
        Meta::List(list) if !has_name(&list.tokens) => {
            let arguments = &list.tokens;
            quote!(#[#path(name = #name, #arguments)])
        }
        _ => attribute.to_token_stream(),
    }
}

/// Returns whether the arguments of `#[instrument]` name the span.
fn has_name(arguments: &TokenStream) -> bool {
    let mut tokens = arguments.clone().into_iter().peekable();
    matches!(tokens.peek(), Some(TokenTree::Literal(_)))
        || tokens.any(|token| matches!(token, TokenTree::Ident(ident) if ident == "name"))
}
