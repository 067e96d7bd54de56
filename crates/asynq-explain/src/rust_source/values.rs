//! The values of variables, by the statements that they come from.

use std::collections::{BTreeSet, HashMap};

use syn::Expr;

use super::expression::{is_assignment, root};

/// Line of a statement from which a value comes, and the loop around which it was carried.
pub(super) type Origin = (u32, Option<u32>);

pub(super) type Sources = BTreeSet<Origin>;

/// Origins of the values of variables.
pub(super) type Values = HashMap<String, Sources>;

/// Adds the values of another way through the code.
pub(super) fn merge(values: &mut Values, others: Values) {
    for (name, origins) in others {
        values.entry(name).or_default().extend(origins);
    }
}

pub(super) fn join(one: &Sources, other: &Sources) -> Sources {
    one.union(other).copied().collect()
}

/// Gives the variable of an assignment its value.
pub(super) fn assign(expr: &Expr, origins: &Sources, values: &mut Values) {
    let (target, keeps) = match expr {
        Expr::Assign(assign) => (&assign.left, false),
        Expr::Binary(binary) if is_assignment(&binary.op) => (&binary.left, true),
        _ => return,
    };
    if let Expr::Path(path) = &**target
        && let Some(name) = path.path.get_ident()
        && !keeps
    {
        values.insert(name.to_string(), origins.clone());
    } else if let Some(name) = root(target) {
        values.entry(name).or_default().extend(origins);
    }
}
