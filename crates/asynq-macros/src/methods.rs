//! `#[asynq]` on an `impl` block.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Error, FnArg, Generics, ImplItem, ImplItemFn, ItemImpl, Path, ReceiverKind, Type};

use crate::arguments::Arguments;
use crate::attributes::Attributes;
use crate::call::{self, Call, Returned, parameters_of};
use crate::form::{self, Form};
use crate::opaque::is_opaque;
use crate::recursion::OwnCall;
use crate::validate;

/// Expands to the block with three functions for each async function: both calls, and the body. `library` is the path
/// of this library.
pub(crate) fn expand(mut block: ItemImpl, library: &Path, errors: &mut Vec<Error>) -> TokenStream {
    validate::check_generics(&block.generics, errors);
    let name = type_name(&block.self_ty);
    let mut asynq_functions = 0;
    let mut items = Vec::new();
    for item in block.items {
        match item {
            ImplItem::Fn(mut method) if is_asynq(&method) => {
                asynq_functions += 1;
                let form = Arguments::take_form(&mut method.attrs, errors);
                let owner = Owner { name: &name, generics: &block.generics };
                let expansion = expand_method(&method, &form, &owner, library, errors);
                items.push(ImplItem::Verbatim(expansion));
            }
            other => items.push(other),
        }
    }
    if asynq_functions == 0 {
        errors.push(Error::new(
            block.impl_token.span,
            "`#[asynq]` has nothing to do here: there is no `async fn` in this block",
        ));
    }
    block.items = items;
    block.into_token_stream()
}

/// Returns whether a function of the block gets two calls.
fn is_asynq(method: &ImplItemFn) -> bool {
    let is_marked = |name| method.attrs.iter().any(|attribute| attribute.path().is_ident(name));
    method.sig.asyncness.is_some() || is_marked("async_proxy") || is_marked("asynq")
}

/// The type that the methods of a block belong to.
struct Owner<'a> {
    /// Its name without its path and arguments.
    name: &'a str,
    /// The generic parameters of the block.
    generics: &'a Generics,
}

fn expand_method(
    method: &ImplItemFn,
    form: &Form,
    owner: &Owner<'_>,
    library: &Path,
    errors: &mut Vec<Error>,
) -> TokenStream {
    let ImplItemFn { attrs, vis, sig, block, .. } = method;
    let refused = validate::check_signature(sig, form, errors);

    let name = &sig.ident;
    let asynq_name = format_ident!("{}_asynq", name.unraw(), span = name.span());
    let generics = &sig.generics;
    let (_, _, where_clause) = generics.split_for_impl();
    let inputs = &sig.inputs;
    let receiver = sig.receiver().map(|receiver| {
        // Only the body needs to know whether its `self` is mutable.
        let mut receiver = receiver.clone();
        receiver.mutability = None;
        FnArg::Receiver(receiver)
    });
    let this = receiver.iter().map(|_| quote!(self,)).collect::<TokenStream>();
    let receiver = receiver.map(|receiver| quote!(#receiver,));
    let Attributes { plain, asynchronous, body: body_attributes, leniency, .. } =
        Attributes::sort(attrs, &name.unraw().to_string());
    let site = call::site(library, &format!("{}::{}", owner.name, name.unraw()));
    let documentation = format!("The asynchronous form of [`{0}`](Self::{0}).", name.unraw());

    let borrows = sig.receiver().is_some_and(|r| matches!(r.kind, ReceiverKind::Reference(..)));
    let is_proxy = matches!(form, Form::Proxy);
    let call = Call::of(sig, if refused { &Form::Plain } else { form });
    let recorded = match sig.receiver() {
        // The `self` of a proxy need not be `Clone`, so a mock cannot get it.
        Some(_) if borrows && is_proxy => None,
        Some(_) if borrows => call.recorded(Some(quote!(#library::plumbing::own(self)))),
        Some(_) => call.recorded(Some(quote!(self))),
        None => call.recorded(None),
    };
    let Call { parameters, arguments, turbofish, output, body, .. } = call;
    let own_call = OwnCall::of_method(owner.name, &name.unraw().to_string());
    // A future that leaves out the lifetime of `self` has to name all types that it depends on.
    let has_unnamed = sig.inputs.iter().any(|input| match input {
        FnArg::Typed(input) => is_opaque(&input.ty),
        FnArg::Receiver(_) => false,
    });
    let is_task = refused || own_call.is_awaited_in(block) || (borrows && has_unnamed);
    let returned = if is_task { Returned::Task } else { Returned::Call };
    let captured: Vec<_> = parameters_of(owner.generics).chain(parameters_of(generics)).collect();
    let (plain_output, future) = if refused { &Form::Plain } else { form }
        .outputs(&output, returned.output(library, &output, borrows.then_some(&*captured)));
    let task = form::task(library, form, &output);
    let asynq_path = quote!(Self::#asynq_name #turbofish);
    let passed = quote!(#this #arguments);
    let run = if borrows && !is_proxy {
        // An argument may have this name, too; the span keeps them apart.
        let kept = Ident::new("this", Span::mixed_site());
        quote! {{
            let #kept = #library::plumbing::own(self);
            async move { Self::#body #turbofish (&#kept, #arguments).await }
        }}
    } else {
        quote!(Self::#body #turbofish (#this #arguments))
    };

    let (plain_call, asynq_call) = if refused {
        (quote!(loop {}), quote!(loop {}))
    } else {
        (form.plain_call(library, &asynq_path, &passed, recorded.as_ref(), &task), {
            let (run, finish) = if is_proxy {
                (run, quote!(#library::plumbing::mocked_proxy))
            } else {
                let make = returned.make(library);
                (quote!(#make(#site, #run)), returned.mocked(library))
            };
            let mock = form::mock(library, &asynq_path, recorded.as_ref(), &task, &finish);
            quote! {
                #mock
                #run
            }
        })
    };
    // Not the user's own token, which lints would check.
    let asyncness = sig.asyncness.map(|_| quote!(async));
    let body = (!refused).then(|| {
        quote! {
            #(#body_attributes)*
            #asyncness fn #body #generics (#inputs) -> #output #where_clause #block
        }
    });
    let quiet = validate::quiet(refused);

    quote! {
        #(#plain)*
        #leniency
        #quiet
        #[track_caller]
        #vis fn #name #generics (#receiver #parameters) -> #plain_output #where_clause {
            #plain_call
        }

        #(#asynchronous)*
        #quiet
        #[doc = #documentation]
        #[track_caller]
        #vis fn #asynq_name #generics (#receiver #parameters) -> #future
        #where_clause
        {
            #asynq_call
        }

        #body
    }
}

/// Returns the name of a type without its path and arguments.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => {
            path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
        }
        other => other.to_token_stream().to_string(),
    }
}
