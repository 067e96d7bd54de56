//! `#[asynq]` on an `impl` block.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl, ReceiverKind, Type};

use crate::attributes::Attributes;
use crate::call::{self, Call};
use crate::refusal;

/// The block with both forms of each async function in it, and the body in a third.
pub(crate) fn expand(mut block: ItemImpl, errors: &mut Vec<Error>) -> TokenStream {
    refusal::check_generics(&block.generics, errors);
    let name = type_name(&block.self_ty);
    let mut asynq_functions = 0;
    let mut items = Vec::new();
    for item in block.items {
        match item {
            ImplItem::Fn(method) if method.sig.asyncness.is_some() => {
                asynq_functions += 1;
                let expansion = expand_method(&method, &name, errors);
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

fn expand_method(method: &ImplItemFn, owner: &str, errors: &mut Vec<Error>) -> TokenStream {
    let ImplItemFn { attrs, vis, sig, block, .. } = method;
    let refused = refusal::check(sig, errors);
    if let Some(attribute) = attrs.iter().find(|attribute| attribute.path().is_ident("asynq")) {
        errors.push(Error::new_spanned(attribute, "`#[asynq]` on the `impl` block is enough"));
    }

    let name = &sig.ident;
    let asynq_name = format_ident!("{}_asynq", name.unraw(), span = name.span());
    let generics = &sig.generics;
    let (_, _, where_clause) = generics.split_for_impl();
    let inputs = &sig.inputs;
    let receiver = sig.receiver().map(|receiver| {
        // Whether the body may change its `self` is its own affair.
        let mut receiver = receiver.clone();
        receiver.mutability = None;
        FnArg::Receiver(receiver)
    });
    let this = receiver.iter().map(|_| quote!(self,)).collect::<TokenStream>();
    let receiver = receiver.map(|receiver| quote!(#receiver,));
    let Attributes { plain, asynchronous, body: body_attributes, leniency, .. } =
        Attributes::sort(attrs);
    let Call { parameters, arguments, turbofish, output, body } = Call::of(sig);
    let site = call::site(&format!("{owner}::{}", name.unraw()));
    let form = format!("The asynchronous form of [`{0}`](Self::{0}).", name.unraw());

    let borrows = sig.receiver().is_some_and(|r| matches!(r.kind, ReceiverKind::Reference(..)));
    let future = if borrows {
        // An argument may have this name, too; the span keeps them apart.
        let kept = Ident::new("this", Span::mixed_site());
        quote! {{
            let #kept = ::asynq::plumbing::own(self);
            async move { Self::#body #turbofish (&#kept, #arguments).await }
        }}
    } else {
        quote!(Self::#body #turbofish (#this #arguments))
    };

    let (plain_call, asynq_call) = if refused {
        (quote!(loop {}), quote!(loop {}))
    } else {
        (
            quote!(::asynq::plumbing::call(Self::#asynq_name #turbofish (#this #arguments))),
            quote!(::asynq::plumbing::task(#site, #future)),
        )
    };
    let body = (!refused).then(|| {
        quote! {
            #(#body_attributes)*
            async fn #body #generics (#inputs) -> #output #where_clause #block
        }
    });
    let quiet = refusal::quiet(refused);

    quote! {
        #(#plain)*
        #leniency
        #quiet
        #[track_caller]
        #vis fn #name #generics (#receiver #parameters) -> #output #where_clause {
            #plain_call
        }

        #(#asynchronous)*
        #quiet
        #[doc = #form]
        #[track_caller]
        #vis fn #asynq_name #generics (#receiver #parameters) -> ::asynq::AsyncTask<#output>
        #where_clause
        {
            #asynq_call
        }

        #body
    }
}

/// The name of a type without its path and arguments.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => {
            path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
        }
        other => other.to_token_stream().to_string(),
    }
}
