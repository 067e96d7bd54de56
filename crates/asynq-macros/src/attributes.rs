//! Which of a function's attributes go where, now that it is several items.

use syn::Attribute;

const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// The attributes of a function, each in every list of the items it belongs to.
pub(crate) struct Attributes<'a> {
    /// For the plain call, which stands where the function stood: all but those of the body.
    pub(crate) plain: Vec<&'a Attribute>,
    /// For the asynchronous call.
    pub(crate) asynchronous: Vec<&'a Attribute>,
    /// For the function with the body.
    pub(crate) body: Vec<&'a Attribute>,
    /// For any other item that has to come and go with the function.
    pub(crate) conditions: Vec<&'a Attribute>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn sort(attributes: &'a [Attribute]) -> Self {
        let is = |attribute: &Attribute, names: &[&str]| {
            names.iter().any(|name| attribute.path().is_ident(name))
        };
        let list = |wanted: &dyn Fn(&Attribute) -> bool| {
            attributes.iter().filter(|attribute| wanted(attribute)).collect()
        };
        Self {
            // An expectation is about the body; elsewhere nothing fulfils it. A second `asynq` has
            // been complained about.
            plain: list(&|attribute| !is(attribute, &["expect", "asynq"])),
            asynchronous: list(&|attribute| {
                is(attribute, &["cfg", "deprecated"]) || is(attribute, &LINTS)
            }),
            body: list(&|attribute| is(attribute, &["cfg", "expect"]) || is(attribute, &LINTS)),
            conditions: list(&|attribute| is(attribute, &["cfg"])),
        }
    }
}
