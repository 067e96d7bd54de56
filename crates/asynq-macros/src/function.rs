//! `#[asynq]` on a function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Error, ItemFn};

use crate::attributes::Attributes;
use crate::call::{self, Call};
use crate::refusal;

/// A function for the plain call, and a type of the same name for the asynchronous one. They do not
/// clash: types and values have namespaces of their own, as long as the type is a struct with
/// braces.
pub(crate) fn expand(function: &ItemFn, errors: &mut Vec<Error>) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    if let Some(receiver) = sig.receiver() {
        errors
            .push(Error::new_spanned(receiver, "for methods, put `#[asynq]` on the `impl` block"));
        return TokenStream::new();
    }
    let refused = refusal::check(sig, errors);

    let name = &sig.ident;
    let generics = &sig.generics;
    let (_, _, where_clause) = generics.split_for_impl();
    let inputs = &sig.inputs;
    let Attributes { plain, asynchronous, body: body_attributes, conditions, leniency } =
        Attributes::sort(attrs);
    let Call { parameters, arguments, turbofish, output, body } = Call::of(sig);
    let site = call::site(&name.unraw().to_string());
    let form = format!("The asynchronous form of [`{0}`](fn@{0}).", name.unraw());

    let (plain_call, asynq_call) = if refused {
        (quote!(loop {}), quote!(loop {}))
    } else {
        (
            quote!(::asynq::plumbing::call(#name::asynq #turbofish (#arguments))),
            quote! {
                #(#body_attributes)*
                async fn #body #generics (#inputs) -> #output #where_clause #block
                ::asynq::plumbing::task(#site, #body #turbofish (#arguments))
            },
        )
    };
    let quiet = refusal::quiet(refused);

    quote! {
        #(#plain)*
        #leniency
        #quiet
        #[track_caller]
        #vis fn #name #generics (#parameters) -> #output #where_clause {
            #plain_call
        }

        #(#conditions)*
        #[doc = #form]
        #[allow(non_camel_case_types)]
        #[derive(::core::fmt::Debug)]
        #vis struct #name {}

        #(#conditions)*
        impl #name {
            #(#asynchronous)*
            #quiet
            #[doc = #form]
            #[track_caller]
            #vis fn asynq #generics (#parameters) -> ::asynq::AsyncTask<#output> #where_clause {
                #asynq_call
            }
        }
    }
}
