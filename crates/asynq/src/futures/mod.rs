//! Futures of this crate: their common trait, futures without a task, and joins.

mod base;
mod join;
mod joinable;
mod known;
mod lazy;
mod outcome;

pub use self::base::FutureBase;
pub use self::join::{All, TryAll, all, try_all};
pub use self::joinable::{Joinable, Parts, Transpose};
pub use self::known::{ConstFuture, ErrorFuture};
pub use self::lazy::LazyFuture;
pub use self::outcome::{Outcome, outcome};
