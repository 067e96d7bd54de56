//! The attributes of a function, sorted by the items that it expands to.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Meta};

const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// Attributes of a function, each in the lists of all items that it applies to.
pub(crate) struct Attributes<'a> {
    /// Attributes of the plain call, which replaces the function: all but those of the body.
    pub(crate) plain: Vec<&'a Attribute>,
    /// Attributes of the asynchronous call.
    pub(crate) asynchronous: Vec<&'a Attribute>,
    /// Attributes of the function with the body.
    pub(crate) body: Vec<&'a Attribute>,
    /// Attributes of all other items: conditions, and `doc(hidden)`.
    pub(crate) conditions: Vec<&'a Attribute>,
    /// Attribute that lets the plain call use the deprecated asynchronous call.
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
            // An expectation applies to the body; elsewhere nothing would fulfil it.
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
