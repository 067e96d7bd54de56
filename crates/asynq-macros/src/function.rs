//! `#[asynq]` on a function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Error, ItemFn, Path};

use crate::attributes::Attributes;
use crate::call::{self, Call, Returned};
use crate::form::{self, Form};
use crate::recursion::OwnCall;
use crate::validate;

/// Expands to a function for the plain call, and a type of the same name for the asynchronous call.
/// `library` is the path of this library. They do not clash: a struct with braces is in the namespace of types, a function in that of values.
pub(crate) fn expand(
    function: &ItemFn,
    form: &Form,
    library: &Path,
    errors: &mut Vec<Error>,
) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    if let Some(receiver) = sig.receiver() {
        errors
            .push(Error::new_spanned(receiver, "for methods, put `#[asynq]` on the `impl` block; in a trait, declare a plain function that returns an `AsyncTask`"));
        return TokenStream::new();
    }
    let is_ours = |attribute: &&Attribute| {
        attribute.path().is_ident("asynq") || attribute.path().is_ident("async_proxy")
    };
    if let Some(second) = attrs.iter().find(is_ours) {
        errors.push(Error::new_spanned(second, "one `#[asynq]` or `#[async_proxy]` is enough"));
        return TokenStream::new();
    }
    let refused = validate::check_signature(sig, form, errors);

    let name = &sig.ident;
    let generics = &sig.generics;
    let (_, _, where_clause) = generics.split_for_impl();
    let inputs = &sig.inputs;
    let Attributes { plain, asynchronous, body: body_attributes, conditions, leniency } =
        Attributes::sort(attrs, &name.unraw().to_string());
    let call = Call::of(sig, if refused { &Form::Plain } else { form });
    let recorded = call.recorded(None);
    let Call { parameters, arguments, turbofish, output, body, .. } = call;
    let site = call::site(library, &name.unraw().to_string());
    let documentation = format!("The asynchronous form of [`{0}`](fn@{0}).", name.unraw());
    let own_call = OwnCall::of_function(&name.unraw().to_string());
    let is_task = refused || own_call.is_awaited_in(block);
    let returned = if is_task { Returned::Task } else { Returned::Call };
    let (plain_output, future) = if refused { &Form::Plain } else { form }
        .outputs(&output, returned.output(library, &output, None));
    let task = form::task(library, form, &output);
    let asynq_path = quote!(#name::asynq #turbofish);
    let passed = quote!(#arguments);

    let (plain_call, asynq_call) = if refused {
        (quote!(loop {}), quote!(loop {}))
    } else {
        (form.plain_call(library, &asynq_path, &passed, recorded.as_ref(), &task), {
            let run = quote!(#body #turbofish (#arguments));
            let (asyncness, run, finish) = if let Form::Proxy = form {
                (None, run, quote!(#library::plumbing::mocked_proxy))
            } else {
                let make = returned.make(library);
                (Some(quote!(async)), quote!(#make(#site, #run)), returned.mocked(library))
            };
            let mock = form::mock(library, &asynq_path, recorded.as_ref(), &task, &finish);
            quote! {
                #(#body_attributes)*
                #asyncness fn #body #generics (#inputs) -> #output #where_clause #block
                #mock
                #run
            }
        })
    };
    let quiet = validate::quiet(refused);

    quote! {
        #(#plain)*
        #leniency
        #quiet
        #[track_caller]
        #vis fn #name #generics (#parameters) -> #plain_output #where_clause {
            #plain_call
        }

        #(#conditions)*
        #[doc = #documentation]
        #[allow(non_camel_case_types)]
        #[derive(::core::fmt::Debug)]
        #vis struct #name {}

        #(#conditions)*
        impl #name {
            #(#asynchronous)*
            #quiet
            #[doc = #documentation]
            #[track_caller]
            #vis fn asynq #generics (#parameters) -> #future #where_clause {
                #asynq_call
            }
        }
    }
}
