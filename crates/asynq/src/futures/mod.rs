//! Futures of this crate: their common trait, those without a task, and joins.

mod base;
mod join;
mod joinable;

pub(crate) use self::base::sealed;
pub use self::base::{ConstFuture, ErrorFuture, FutureBase, LazyFuture};
pub use self::join::{All, TryAll, all, try_all};
pub use self::joinable::{Joinable, Parts, Transpose};
