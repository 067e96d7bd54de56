//! The form of a function: the relation of its two calls.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ExprPath, Path, Type};

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

impl Form {
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
        library: &Path,
        asynq_call: &TokenStream,
        arguments: &TokenStream,
        recorded: Option<&TokenStream>,
        future: &TokenStream,
    ) -> TokenStream {
        match self {
            Self::Plain => quote!(#library::plumbing::value(#asynq_call(#arguments))),
            Self::Proxy => quote!(#library::FutureBase::value(#asynq_call(#arguments))),
            Self::Pure => quote!(#asynq_call(#arguments)),
            Self::Sync(path) => {
                let finish = quote!(#library::plumbing::mocked_value);
                let mock = mock(library, asynq_call, recorded, future, &finish);
                quote!(#mock #path(#arguments))
            }
        }
    }
}

/// Returns the type of the future that a mock of a function returns, which is declared to return `output`.
pub(crate) fn task(library: &Path, form: &Form, output: &Type) -> TokenStream {
    if let Form::Proxy = form { quote!(#output) } else { quote!(#library::AsyncTask<#output>) }
}

/// Returns the code that calls the mock of `function`, if there is one. `recorded` is `None` if the
/// function cannot be replaced by a mock.
pub(crate) fn mock(
    library: &Path,
    function: &TokenStream,
    recorded: Option<&TokenStream>,
    future: &TokenStream,
    finish: &TokenStream,
) -> Option<TokenStream> {
    recorded.map(
        |recorded| quote!(#library::plumbing::mockable!(#function, #recorded, #future, #finish);),
    )
}
