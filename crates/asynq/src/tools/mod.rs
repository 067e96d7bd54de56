//! Relatives of iterators' methods, caches and retries, for async functions.
//!
//! [`amap`] and the like call an async function with each of some elements. There, an async function
//! is anything that takes an argument and returns a future of this crate: `f::asynq`, or a closure
//! such as `|id| names.item(id)`.
//!
//! [`deduplicate`] makes another function of an async function: a value with the two forms
//! of a call, `g.asynq(a)` and `g.call(a)`. It belongs to one thread: keep it in a `thread_local!`, or
//! in a field of what it is about. It is locked by no call, so that functions may call themselves and
//! each other; only the `Hash` and `Eq` of an argument must not.

mod deduplicate;
mod filter;
mod map;
mod order;
mod under_way;

pub use self::deduplicate::{Deduplicate, deduplicate, deduplicate_by};
pub use self::filter::{afilter, afilterfalse, asift};
pub use self::map::amap;
pub use self::order::{amax, amin, asorted};
