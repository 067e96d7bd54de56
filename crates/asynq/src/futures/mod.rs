//! Futures of this crate: their common trait, futures without a task, and joins.

mod base;
mod join;
mod joinable;
mod known;
mod lazy;
mod outcome;
mod parts;

pub use self::base::FutureBase;
pub(crate) use self::base::joins_as_itself;
pub use self::join::{All, TryAll, all, try_all};
pub(crate) use self::joinable::Countdown;
pub use self::joinable::{Joinable, Transpose};
pub use self::known::{ConstFuture, ErrorFuture};
pub use self::lazy::LazyFuture;
pub use self::outcome::{Outcome, outcome};
pub use self::parts::Parts;
