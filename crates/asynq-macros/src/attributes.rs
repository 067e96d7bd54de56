//! Which of a function's attributes go where, now that it is several items.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Meta};

const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// The attributes of a function, each in every list of the items it belongs to.
pub(crate) struct Attributes<'a> {
    /// For the plain call, which stands where the function stood: all but those of the body.
    pub(crate) plain: Vec<&'a Attribute>,
    /// For the asynchronous call.
    pub(crate) asynchronous: Vec<&'a Attribute>,
    /// For the function with the body.
    pub(crate) body: Vec<&'a Attribute>,
    /// For any other item that has to come and go, or to hide, with the function.
    pub(crate) conditions: Vec<&'a Attribute>,
    /// For the plain call as well: it shall not be blamed for calling a form that is deprecated.
    pub(crate) leniency: Option<TokenStream>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn sort(attributes: &'a [Attribute]) -> Self {
        let is = |attribute: &Attribute, names: &[&str]| {
            names.iter().any(|name| attribute.path().is_ident(name))
        };
        let is_condition = |attribute: &Attribute| {
            is(attribute, &["cfg"])
                || matches!(&attribute.meta, Meta::List(list)
                    if list.path.is_ident("doc") && list.tokens.to_string() == "hidden")
        };
        let list = |wanted: &dyn Fn(&Attribute) -> bool| {
            attributes.iter().filter(|attribute| wanted(attribute)).collect()
        };
        Self {
            // An expectation is about the body; elsewhere nothing fulfils it.
            plain: list(&|attribute| !is(attribute, &["expect"])),
            asynchronous: list(&|attribute| {
                is_condition(attribute) || is(attribute, &["deprecated"]) || is(attribute, &LINTS)
            }),
            body: list(&|attribute| is(attribute, &["cfg", "expect"]) || is(attribute, &LINTS)),
            conditions: list(&is_condition),
            leniency: attributes
                .iter()
                .any(|attribute| is(attribute, &["deprecated"]))
                .then(|| quote!(#[allow(deprecated, reason = "it is deprecated itself")])),
        }
    }
}
