//! The arguments of the attributes.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Meta, Path, Token, parse_quote};

use crate::form::Form;

const HELP: &str = "`#[asynq]` takes `pure`, `sync_fn = path` and `crate = path`";

/// The arguments in `#[asynq(..)]`.
pub(crate) struct Arguments {
    /// The form of the function.
    pub(crate) form: Form,
    /// The place of the argument that chooses the form, if there is one.
    pub(crate) form_span: Option<Span>,
    /// The path of this library, if it is given.
    pub(crate) given_library: Option<Path>,
}

impl Arguments {
    /// Parses the arguments in `#[asynq(..)]`.
    pub(crate) fn parse(arguments: TokenStream, errors: &mut Vec<Error>) -> Self {
        let mut parsed = Self { form: Form::Plain, form_span: None, given_library: None };
        let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
        let arguments = match parser.parse2(arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                errors.push(Error::new(error.span(), HELP));
                return parsed;
            }
        };
        for argument in &arguments {
            if let Err(error) = parsed.add(argument) {
                errors.push(error);
            }
        }
        parsed
    }

    /// Removes the attributes of this crate from a method, and returns the form that they give it.
    pub(crate) fn take_form(attributes: &mut Vec<Attribute>, errors: &mut Vec<Error>) -> Form {
        let mut form = Form::Plain;
        attributes.retain(|attribute| {
            if attribute.path().is_ident("async_proxy") {
                form = Form::Proxy;
                return false;
            }
            if !attribute.path().is_ident("asynq") {
                return true;
            }
            match &attribute.meta {
                Meta::List(list) => {
                    let arguments = Self::parse(list.tokens.clone(), errors);
                    if let Some(library) = arguments.given_library {
                        let message = "`crate` goes on the `impl` block, for all its methods";
                        errors.push(Error::new_spanned(library, message));
                    }
                    form = arguments.form;
                }
                _ => errors.push(Error::new_spanned(
                    attribute,
                    "`#[asynq]` on the `impl` block is enough",
                )),
            }
            false
        });
        form
    }

    fn add(&mut self, argument: &Meta) -> Result<(), Error> {
        let form = match argument {
            Meta::Path(path) if path.is_ident("pure") => Form::Pure,
            Meta::NameValue(pair) if pair.path.is_ident("sync_fn") => match &pair.value {
                Expr::Path(path) => Form::Sync(path.clone()),
                other => {
                    let message = "`sync_fn` is the path of a function: `sync_fn = module::f`";
                    return Err(Error::new(other.span(), message));
                }
            },
            Meta::NameValue(pair) if pair.path.is_ident("crate") => match &pair.value {
                Expr::Path(path) if self.given_library.is_none() => {
                    self.given_library = Some(path.path.clone());
                    return Ok(());
                }
                other => {
                    let message = "`crate` is the path of asynq, once: `crate = other::asynq`";
                    return Err(Error::new(other.span(), message));
                }
            },
            other => return Err(Error::new(other.span(), HELP)),
        };
        if self.form_span.is_some() {
            return Err(Error::new(
                argument.span(),
                "one form is enough: a plain call is either the task (`pure`) or another function \
                 (`sync_fn`)",
            ));
        }
        self.form = form;
        self.form_span = Some(argument.span());
        Ok(())
    }

    /// Returns the path of this library for generated code: the one that is given, or `::asynq`.
    pub(crate) fn library(&self) -> Path {
        self.given_library.clone().unwrap_or_else(|| parse_quote!(::asynq))
    }
}
