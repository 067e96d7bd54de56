//! Relatives of iterators' methods, for async functions.
//!
//! An async function is anything that takes an argument and returns a future of this crate:
//! `f::asynq`, or a closure such as `|id| names.item(id)`.

mod filter;
mod map;
mod order;

pub use self::filter::{afilter, afilterfalse, asift};
pub use self::map::amap;
pub use self::order::{amax, amin, asorted};
