//! Types without a name: `impl Trait`.

use proc_macro2::Span;
use syn::visit::Visit;
use syn::{
    GenericArgument, ParenthesizedGenericArguments, PathArguments, Type, TypeFnPtr, TypeImplTrait,
    TypeParamBound,
};

/// Returns the `T` of an `impl FutureBase<Output = T>`, if that type has a name.
pub(crate) fn value_of_opaque(ty: &Type) -> Option<&Type> {
    let Type::ImplTrait(opaque) = ty else { return None };
    let arguments = opaque.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => match &bound.path.segments.last()?.arguments {
            PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
            _ => None,
        },
        _ => None,
    })?;
    let value = arguments.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
        _ => None,
    });
    value.filter(|value| !is_opaque(value))
}

/// Returns whether a part of a type has no name.
pub(crate) fn is_opaque(ty: &Type) -> bool {
    !opaque_parts(ty).is_empty()
}

/// Returns the places of the `impl Trait` in a type.
pub(crate) fn opaque_parts(ty: &Type) -> Vec<Span> {
    let mut opaque = Opaque { parts: Vec::new() };
    opaque.visit_type(ty);
    opaque.parts
}

/// Finds types that have no name.
struct Opaque {
    parts: Vec<Span>,
}

impl Visit<'_> for Opaque {
    fn visit_type_impl_trait(&mut self, opaque: &TypeImplTrait) {
        self.parts.push(opaque.impl_token.span);
    }

    // These belong to the signature of a callback.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &ParenthesizedGenericArguments) {}
}
