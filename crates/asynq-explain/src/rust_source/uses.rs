//! The variables that an expression uses, and those that a pattern binds.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Pat, Token};

use super::expression::{is_waiting_macro, root};

/// Variables that an expression uses.
#[derive(Default)]
pub(super) struct Uses {
    pub(super) all: BTreeSet<String>,
    /// Names in the operands of awaits.
    pub(super) operands: BTreeSet<String>,
    pub(super) mutated: BTreeSet<String>,
    pub(super) awaits: bool,
    /// It awaits, or calls what may be an async function.
    pub(super) asks: bool,
    /// Blocks of code that run on their own.
    pub(super) blocks: Vec<Block>,
    turns: Turns,
    depth: usize,
}

/// Methods that call closures for elements.
#[derive(Default)]
struct Turns {
    /// There is one that calls a closure for each element, which calls something.
    are_calls: bool,
    /// There is one that may leave elements out, because of those before.
    end_early: bool,
}

/// Methods that call a closure for each element.
const TURNS: [&str; 15] = [
    "filter",
    "filter_map",
    "flat_map",
    "for_each",
    "inspect",
    "map",
    "max_by",
    "max_by_key",
    "min_by",
    "min_by_key",
    "partition",
    "retain",
    "sort_by_cached_key",
    "sort_by_key",
    "sort_unstable_by_key",
];

/// Methods that may leave elements out, because of those before.
const SEARCHES: [&str; 14] = [
    "all",
    "any",
    "find",
    "find_map",
    "fold",
    "map_while",
    "next",
    "position",
    "rposition",
    "scan",
    "skip_while",
    "take_while",
    "try_fold",
    "try_for_each",
];

pub(super) fn uses(expr: &Expr) -> Uses {
    let mut uses = Uses::default();
    uses.visit_expr(expr);
    uses
}

impl Uses {
    /// Returns whether it calls something for each element, as a loop whose turns do not depend on each other.
    pub(super) fn calls_in_turns(&self) -> bool {
        self.turns.are_calls && !self.turns.end_early && !self.awaits
    }

    fn add(&mut self, name: String) {
        if self.depth > 0 {
            self.operands.insert(name.clone());
        }
        self.all.insert(name);
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.add(ident.to_string()),
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(name) = path.path.get_ident() {
            self.add(name.to_string());
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast syn::ExprAwait) {
        self.awaits = true;
        self.asks = true;
        self.depth += 1;
        visit::visit_expr_await(self, awaited);
        self.depth -= 1;
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.blocks.push(block.block.clone());
        // What it uses counts, its awaits do not.
        let awaits = self.awaits;
        visit::visit_expr_async(self, block);
        self.awaits = awaits;
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if closure.asyncness.is_some()
            && let Expr::Block(block) = &*closure.body
        {
            self.blocks.push(block.block.clone());
        }
        let awaits = self.awaits;
        visit::visit_expr_closure(self, closure);
        self.awaits = awaits;
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(name) = function.path.segments.last().map(|segment| &segment.ident)
        {
            let name = name.to_string();
            let constructs = name.starts_with(char::is_uppercase)
                || matches!(name.as_str(), "new" | "from" | "default" | "with_capacity");
            self.asks |= !constructs;
            self.depth += usize::from(!constructs);
            for argument in &call.args {
                self.visit_expr(argument);
            }
            self.depth -= usize::from(!constructs);
        } else {
            visit::visit_expr_call(self, call);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let on_self = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
        let asks = on_self || call.method == "value" || call.method == "outcome";
        self.asks |= asks;
        self.mutated.extend(root(&call.receiver));
        let name = call.method.to_string();
        self.turns.are_calls |= TURNS.contains(&name.as_str()) && call.args.iter().any(calls);
        self.turns.end_early |= SEARCHES.contains(&name.as_str());
        self.depth += usize::from(asks);
        visit::visit_expr_method_call(self, call);
        self.depth -= usize::from(asks);
    }

    fn visit_expr_reference(&mut self, reference: &'ast syn::ExprReference) {
        if reference.mutability.is_some() {
            self.mutated.extend(root(&reference.expr));
        }
        visit::visit_expr_reference(self, reference);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let waits = is_waiting_macro(call);
        self.awaits |= waits;
        self.asks |= waits;
        self.depth += usize::from(waits);
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        match arguments.parse2(call.tokens.clone()) {
            Ok(arguments) => {
                for argument in &arguments {
                    let mut inner = Self { depth: self.depth, ..Self::default() };
                    inner.visit_expr(argument);
                    self.all.extend(inner.all);
                    self.operands.extend(inner.operands);
                    self.mutated.extend(inner.mutated);
                    self.blocks.extend(inner.blocks);
                    self.awaits |= inner.awaits;
                    self.asks |= inner.asks;
                    self.turns.are_calls |= inner.turns.are_calls;
                    self.turns.end_early |= inner.turns.end_early;
                }
            }
            Err(_) => self.add_tokens(call.tokens.clone()),
        }
        self.depth -= usize::from(waits);
    }
}

/// Returns whether a closure calls what may be an async function, synchronously.
fn calls(argument: &Expr) -> bool {
    matches!(argument, Expr::Closure(closure) if closure.asyncness.is_none() && uses(&closure.body).asks)
}

/// Names that a pattern binds.
#[derive(Default)]
pub(super) struct Names {
    pub(super) found: Vec<String>,
    pub(super) mutable: Vec<String>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.found.push(pattern.ident.to_string());
        if pattern.mutability.is_some() {
            self.mutable.push(pattern.ident.to_string());
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// Patterns of `let` in a condition.
pub(super) struct Lets {
    pub(super) found: Vec<Pat>,
}

impl<'ast> Visit<'ast> for Lets {
    fn visit_expr_let(&mut self, condition: &'ast syn::ExprLet) {
        self.found.push((*condition.pat).clone());
        visit::visit_expr_let(self, condition);
    }
}

/// Returns whether an expression is an await whose value is not used.
pub(super) fn is_discarded_await(expr: &Expr) -> bool {
    match expr {
        Expr::Await(_) => true,
        Expr::Try(tried) => is_discarded_await(&tried.expr),
        Expr::Paren(paren) => is_discarded_await(&paren.expr),
        Expr::MethodCall(call) => {
            // `f().await.unwrap();`
            is_discarded_await(&call.receiver) && call.args.iter().all(|arg| !uses(arg).awaits)
        }
        Expr::Macro(call) => is_waiting_macro(&call.mac),
        _ => false,
    }
}
