//! Checks of a signature. Each error says what to write instead.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, Lifetime, ParenthesizedGenericArguments,
    ReceiverKind, ReturnType, Safety, Signature, TraitBound, Type, TypeFnPtr, TypeReference,
};

use crate::form::Form;
use crate::opaque::{is_opaque, opaque_parts, value_of_opaque};

/// Adds an error for each part of `signature` that a task cannot have. Returns whether there is any:
/// the body is then left out, so that the compiler adds no further errors.
pub(crate) fn check_signature(signature: &Signature, form: &Form, errors: &mut Vec<Error>) -> bool {
    let before = errors.len();
    if let Form::Proxy = form {
        if let Some(keyword) = signature.asyncness {
            errors.push(Error::new(
                keyword.span,
                "`#[async_proxy]` is for a function that returns a future itself: remove `async`, \
                 or write `#[asynq]`",
            ));
        }
        if let ReturnType::Default = signature.output {
            errors.push(Error::new(
                signature.fn_token.span,
                "`#[async_proxy]` is for a function that returns a future of asynq: say which, for \
                 instance `-> AsyncTask<T>`",
            ));
        }
    } else if signature.asyncness.is_none() {
        errors.push(Error::new(
            signature.fn_token.span,
            format!("`#[asynq]` needs an async function: write `async fn {}`", signature.ident),
        ));
    }
    for (unwanted, keyword) in [
        (signature.constness.map(|token| token.span), "const"),
        (signature.abi.as_ref().map(Spanned::span), "extern"),
        (
            match &signature.safety {
                Safety::Default => None,
                given => Some(given.span()),
            },
            "unsafe",
        ),
        (signature.variadic.as_ref().map(Spanned::span), "variadic"),
    ] {
        if let Some(span) = unwanted {
            errors.push(Error::new(span, format!("an asynq function cannot be `{keyword}`")));
        }
    }
    check_generics(&signature.generics, errors);
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => check_receiver(&receiver.kind, errors),
            FnArg::Typed(input) => {
                check_parameter_attributes(&input.attrs, errors);
                Borrows { place: "takes", errors }.visit_type(&input.ty);
            }
        }
    }
    if let ReturnType::Type(_, output) = &signature.output {
        Borrows { place: "returns", errors }.visit_type(output);
        match form {
            Form::Proxy if value_of_opaque(output).is_some() => {}
            Form::Proxy if is_opaque(output) => errors.push(Error::new_spanned(
                output,
                "the value of this future needs a name: write `AsyncTask<T>`, or \
                 `impl FutureBase<Output = T>`",
            )),
            _ => errors.extend(opaque_parts(output).into_iter().map(|span| {
                Error::new(
                    span,
                    "an asynq function names the type it returns, since its task does: write the \
                     type, or `Box<dyn Trait>`",
                )
            })),
        }
    }
    errors.len() > before
}

/// Returns the attribute that silences lints about a function without its body.
pub(crate) fn quiet(refused: bool) -> Option<TokenStream> {
    refused.then(|| quote!(#[allow(warnings, reason = "there is an error already")]))
}

/// Adds an error for each lifetime parameter.
pub(crate) fn check_generics(generics: &Generics, errors: &mut Vec<Error>) {
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.push(Error::new(
                lifetime.span(),
                "an asynq function cannot borrow: a task owns what it uses, so there is no \
                 lifetime to name",
            ));
        }
    }
}

/// Adds an error for each `#[cfg]` of a parameter: an argument that is passed on cannot have one.
fn check_parameter_attributes(attributes: &[Attribute], errors: &mut Vec<Error>) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
        errors.push(Error::new_spanned(
            attribute,
            "an asynq function has the same parameters everywhere: write two functions, each with \
             a `#[cfg]`",
        ));
    }
}

fn check_receiver(receiver: &ReceiverKind, errors: &mut Vec<Error>) {
    match receiver {
        ReceiverKind::Reference(and, _, Some(_)) => errors.push(Error::new(
            and.span(),
            "an asynq method cannot take `&mut self`, since its task outlives the borrow: take \
             `&self` of a type that is `Clone`, or `self: Rc<Self>`, with what changes in a `Cell` \
             or `RefCell`",
        )),
        ReceiverKind::Typed(_, ty) => {
            Borrows { place: "takes `self` as", errors }.visit_type(ty);
        }
        _ => {}
    }
}

/// Finds borrows that are shorter than `'static`.
struct Borrows<'e> {
    place: &'static str,
    errors: &'e mut Vec<Error>,
}

impl Visit<'_> for Borrows<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") {
            return self.visit_type(&reference.elem);
        }
        let instead = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "`String` or `Rc<str>`",
            Type::Slice(_) => "`Vec<..>` or `Rc<[..]>`",
            _ => "the value, a clone, or an `Rc`",
        };
        self.errors.push(Error::new(
            reference.and_token.span(),
            format!(
                "an asynq function owns what it {}, since its task outlives the borrow: write \
                 {instead} instead of a reference",
                self.place
            ),
        ));
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.errors.push(Error::new(
                lifetime.span(),
                format!(
                    "an asynq function owns what it {}: a type that borrows will not do",
                    self.place
                ),
            ));
        }
    }

    // The lifetimes in the signature of a callback belong to its calls.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &ParenthesizedGenericArguments) {}

    fn visit_trait_bound(&mut self, bound: &TraitBound) {
        if bound.lifetimes.is_none() {
            visit::visit_trait_bound(self, bound);
        }
    }
}
