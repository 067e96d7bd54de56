//! The parts of the calls between the items of one function.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{
    FnArg, GenericParam, Generics, Ident, Pat, Path, ReturnType, Signature, Token, Type,
    parse_quote,
};

use crate::form::Form;
use crate::opaque::is_opaque;

/// The parts of the calls to a function.
pub(crate) struct Call {
    /// The parameters without `self`, each by a name.
    pub(crate) parameters: Punctuated<FnArg, Token![,]>,
    /// These names.
    pub(crate) arguments: Punctuated<Ident, Token![,]>,
    /// The generic arguments with the turbofish, or nothing.
    pub(crate) turbofish: TokenStream,
    /// Return type of the function.
    pub(crate) output: Type,
    /// `false` if the function has an `impl Trait` in its signature, so that its type has no name.
    nameable: bool,
    /// Name of the function with the body. The body may refer to any other name.
    pub(crate) body: Ident,
}

/// The way in which the asynchronous call of an async function returns its body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returned {
    /// As a future without a name, which does nothing before it is polled.
    Call,
    /// In a task.
    Task,
}

impl Returned {
    /// Returns the type of a call whose value is an `output`. `captured` are the generic parameters that the
    /// future depends on, if the lifetime of a borrowed `self` is to be left out.
    pub(crate) fn output(
        self,
        library: &Path,
        output: &Type,
        captured: Option<&[&Ident]>,
    ) -> TokenStream {
        match (self, captured) {
            (Self::Task, _) => quote!(#library::AsyncTask<#output>),
            (Self::Call, None) => {
                quote!(#library::Call<impl ::core::future::Future<Output = #output>>)
            }
            (Self::Call, Some(captured)) => {
                let captured = quote!(use<#(#captured),*>);
                quote!(#library::Call<impl ::core::future::Future<Output = #output> + #captured>)
            }
        }
    }

    /// Returns the function that makes the call of a body.
    pub(crate) fn make(self, library: &Path) -> TokenStream {
        match self {
            Self::Call => quote!(#library::plumbing::call),
            Self::Task => quote!(#library::plumbing::task),
        }
    }

    /// Returns the function that makes the call of the task of a mock.
    pub(crate) fn mocked(self, library: &Path) -> TokenStream {
        match self {
            Self::Call => quote!(#library::plumbing::mocked),
            Self::Task => quote!(#library::plumbing::mocked_task),
        }
    }
}

/// Returns the names of the type and constant parameters of `generics`.
pub(crate) fn parameters_of(generics: &Generics) -> impl Iterator<Item = &Ident> {
    generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
    })
}

impl Call {
    pub(crate) fn of(signature: &Signature, form: &Form) -> Self {
        let mut parameters = Punctuated::new();
        let mut arguments = Punctuated::new();
        for (index, input) in signature.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else { continue };
            // The body takes its argument apart, and has its attributes; here it is a name.
            let name = match &*input.pat {
                // A name that starts with an underscore says that the body does not use it.
                Pat::Ident(pattern) if !pattern.ident.to_string().starts_with('_') => {
                    pattern.ident.clone()
                }
                // The span keeps it apart from an `argument_1` of the user's.
                _ => format_ident!("argument_{index}", span = Span::mixed_site()),
            };
            let ty = &input.ty;
            parameters.push(parse_quote!(#name: #ty));
            arguments.push(name);
        }
        let generics: Vec<_> = parameters_of(&signature.generics).collect();
        let is_proxy = matches!(form, Form::Proxy);
        let is_named = !matches!(&signature.output, ReturnType::Type(_, ty) if is_opaque(ty));
        Self {
            parameters,
            arguments,
            turbofish: if generics.is_empty() { quote!() } else { quote!(::<#(#generics),*>) },
            output: match &signature.output {
                ReturnType::Type(_, ty) if is_named || is_proxy => (**ty).clone(),
                // Any type: one without a name is an error already.
                ReturnType::Type(..) | ReturnType::Default => parse_quote!(()),
            },
            nameable: is_named
                && !signature
                    .inputs
                    .iter()
                    .any(|input| matches!(input, FnArg::Typed(input) if is_opaque(&input.ty))),
            body: format_ident!("asynq_body_of_{}", signature.ident.unraw()),
        }
    }

    /// Returns `this` and the arguments as one value for a mock, or `None` if the function cannot be
    /// replaced by one.
    pub(crate) fn recorded(&self, this: Option<TokenStream>) -> Option<TokenStream> {
        let this = this.into_iter();
        let arguments = self.arguments.iter();
        self.nameable.then(|| quote!((#(#this,)* #(#arguments,)*)))
    }
}

/// Returns the path of a function, for the asynq stack. An expression, so that its static does not hide
/// one of the user.
pub(crate) fn site(library: &Path, path: &str) -> TokenStream {
    quote! {{
        static SITE: #library::plumbing::Site =
            #library::plumbing::Site::new(::core::concat!(::core::module_path!(), "::", #path));
        &SITE
    }}
}
