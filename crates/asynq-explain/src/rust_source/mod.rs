//! The needs of statements in Rust, from their source.
//!
//! Each variable has the lines of the awaits and calls that its value comes from. A statement needs those of the
//! variables in the operands of its awaits, those that decide whether it runs, and awaits without a used value. The
//! body of a loop is read twice: what the second reading finds of the first is carried from turn to turn. When in
//! doubt, a value is needed.

mod body;
mod expression;
mod uses;
mod values;

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Block, Signature};

use self::body::Body;
use crate::place::Flow;

/// Returns the needs of the statements in a file of Rust. A file that cannot be parsed has none.
#[must_use]
pub fn flows_of_rust(file: &str, source: &str) -> Vec<Flow> {
    let Ok(parsed) = syn::parse_file(source) else { return Vec::new() };
    let mut functions = Functions { file, flows: BTreeMap::new() };
    functions.visit_file(&parsed);
    functions.flows.into_values().collect()
}

/// Finds the functions of a file.
struct Functions<'a> {
    file: &'a str,
    /// By first and last line.
    flows: BTreeMap<(u32, u32), Flow>,
}

impl Functions<'_> {
    fn read(&mut self, signature: &Signature, block: &Block) {
        let is_plain = signature.asyncness.is_none();
        Body::read(self.file, block, is_plain, &mut self.flows);
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.read(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.read(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.read(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
