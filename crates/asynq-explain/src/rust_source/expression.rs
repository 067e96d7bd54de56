//! Questions about single expressions.

use syn::spanned::Spanned;
use syn::{Block, Expr, Stmt};

pub(super) fn line(node: &impl Spanned) -> u32 {
    u32::try_from(node.span().start().line).unwrap_or(u32::MAX)
}

pub(super) fn end_line(node: &impl Spanned) -> u32 {
    u32::try_from(node.span().end().line).unwrap_or(u32::MAX)
}

pub(super) fn lines(node: &impl Spanned) -> (u32, u32) {
    (line(node), end_line(node))
}

/// Returns the variable that an expression is a part of.
pub(super) fn root(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::MethodCall(call) => root(&call.receiver),
        Expr::Paren(paren) => root(&paren.expr),
        Expr::Reference(reference) => root(&reference.expr),
        Expr::Unary(unary) => root(&unary.expr),
        _ => None,
    }
}

pub(super) fn is_assignment(operator: &syn::BinOp) -> bool {
    use syn::BinOp::{
        AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign,
        ShlAssign, ShrAssign, SubAssign,
    };
    matches!(
        operator,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

pub(super) fn is_compound(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(paren) => is_compound(&paren.expr),
        Expr::Block(_)
        | Expr::Unsafe(_)
        | Expr::If(_)
        | Expr::Match(_)
        | Expr::ForLoop(_)
        | Expr::While(_)
        | Expr::Loop(_) => true,
        _ => false,
    }
}

/// Returns whether an expression ends a turn or the function.
pub(super) fn exits(expr: &Expr) -> bool {
    matches!(expr, Expr::Return(_) | Expr::Break(_) | Expr::Continue(_))
}

/// Returns whether a block may end a turn or the function.
pub(super) fn leaves(block: &Block) -> bool {
    block.stmts.iter().any(|statement| matches!(statement, Stmt::Expr(expr, _) if exits(expr)))
}

pub(super) fn is_waiting_macro(call: &syn::Macro) -> bool {
    let name = call.path.segments.last().map(|segment| segment.ident.to_string());
    matches!(name.as_deref(), Some("join" | "try_join" | "select" | "select_biased"))
}
