//! The form of a function: the relation of its two calls, by the arguments of the attribute.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprPath, Meta, Token, Type};

use crate::opaque::value_of_opaque;

/// Relation of the plain call and the asynchronous call of a function.
pub(crate) enum Form {
    /// The plain call runs the asynchronous one.
    Plain,
    /// The plain call is the asynchronous one.
    Pure,
    /// The plain call is another function.
    Sync(ExprPath),
    /// The function returns a future itself, which the plain call runs.
    Proxy,
}

const HELP: &str = "`#[asynq]` takes `pure`, or `sync_fn = path`";

impl Form {
    /// Parses the arguments in `#[asynq(..)]`.
    pub(crate) fn parse(arguments: TokenStream, errors: &mut Vec<Error>) -> Self {
        let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
        let arguments = match parser.parse2(arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                errors.push(Error::new(error.span(), HELP));
                return Self::Plain;
            }
        };
        let mut form = Self::Plain;
        for argument in arguments {
            let next = match &argument {
                Meta::Path(path) if path.is_ident("pure") => Self::Pure,
                Meta::NameValue(pair) if pair.path.is_ident("sync_fn") => match &pair.value {
                    Expr::Path(path) => Self::Sync(path.clone()),
                    other => {
                        let message = "`sync_fn` is the path of a function: `sync_fn = module::f`";
                        errors.push(Error::new(other.span(), message));
                        continue;
                    }
                },
                other => {
                    errors.push(Error::new(other.span(), HELP));
                    continue;
                }
            };
            if matches!(form, Self::Plain) {
                form = next;
            } else {
                errors.push(Error::new(
                    argument.span(),
                    "one argument is enough: a plain call is either the task (`pure`) or another \
                     function (`sync_fn`)",
                ));
            }
        }
        form
    }

    /// Removes the attributes of this crate from a method, and returns the form that they give it.
    pub(crate) fn take_from(attributes: &mut Vec<Attribute>, errors: &mut Vec<Error>) -> Self {
        let mut form = Self::Plain;
        attributes.retain(|attribute| {
            if attribute.path().is_ident("async_proxy") {
                form = Self::Proxy;
                return false;
            }
            if !attribute.path().is_ident("asynq") {
                return true;
            }
            match &attribute.meta {
                Meta::List(list) => form = Self::parse(list.tokens.clone(), errors),
                _ => errors.push(Error::new_spanned(
                    attribute,
                    "`#[asynq]` on the `impl` block is enough",
                )),
            }
            false
        });
        form
    }

    /// Returns the types of the plain call and of the asynchronous call of a function that is declared
    /// to return `output`. `call` is the type of the call of an async function.
    pub(crate) fn outputs(&self, output: &Type, call: TokenStream) -> (TokenStream, TokenStream) {
        match self {
            Self::Plain | Self::Sync(_) => (quote!(#output), call),
            Self::Pure => (call.clone(), call),
            Self::Proxy => match value_of_opaque(output) {
                Some(value) => (quote!(#value), quote!(#output)),
                None => (quote!(<#output as ::core::future::Future>::Output), quote!(#output)),
            },
        }
    }

    /// Returns the body of the plain call. `recorded` are the arguments as a mock gets them.
    pub(crate) fn plain_call(
        &self,
        asynq_call: &TokenStream,
        arguments: &TokenStream,
        recorded: Option<&TokenStream>,
        future: &TokenStream,
    ) -> TokenStream {
        match self {
            Self::Plain => quote!(::asynq::plumbing::value(#asynq_call(#arguments))),
            Self::Proxy => quote!(::asynq::FutureBase::value(#asynq_call(#arguments))),
            Self::Pure => quote!(#asynq_call(#arguments)),
            Self::Sync(path) => {
                let finish = quote!(::asynq::plumbing::mocked_value);
                let mock = mock(asynq_call, recorded, future, &finish);
                quote!(#mock #path(#arguments))
            }
        }
    }
}

/// Returns the type of the future that a mock of a function returns, which is declared to return `output`.
pub(crate) fn task(form: &Form, output: &Type) -> TokenStream {
    if let Form::Proxy = form { quote!(#output) } else { quote!(::asynq::AsyncTask<#output>) }
}

/// Returns the code that calls the mock of `function`, if there is one. `recorded` is `None` if the
/// function cannot be replaced by a mock.
pub(crate) fn mock(
    function: &TokenStream,
    recorded: Option<&TokenStream>,
    future: &TokenStream,
    finish: &TokenStream,
) -> Option<TokenStream> {
    recorded.map(
        |recorded| quote!(::asynq::plumbing::mockable!(#function, #recorded, #future, #finish);),
    )
}
