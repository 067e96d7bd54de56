//! Relatives of iterators' methods, caches and retries, for async functions.
//!
//! [`amap`] and the like call an async function with each of some elements. There, an async function
//! is anything that takes an argument and returns a future of this crate: `f::asynq`, or a closure
//! such as `|id| names.item(id)`.
//!
//! [`deduplicate`], [`alru_cache`], [`alazy_constant`], [`acached_per_instance`] and [`aretry`] make
//! another function of an async function: a value with the two forms of a call, `g.asynq(a)` and
//! `g.call(a)`. It belongs to one thread: keep it in a `thread_local!`, or in a field of what it is
//! about. Of a function with several arguments, make one with a tuple:
//! `deduplicate(|(user, number)| page::asynq(user, number))`. No call locks anything, so functions may
//! call themselves and each other; only the `Hash` and `Eq` of an argument must not.
//!
//! An [`AsyncTimer`] measures a task without the time in which it waits; an [`AsyncEventHook`] tells
//! async functions of an event.

mod cached;
mod deduplicate;
mod event_hook;
mod filter;
mod lazy_constant;
mod lru_cache;
mod map;
mod order;
mod per_instance;
mod retry;
mod running_calls;
mod timer;

pub use self::deduplicate::{Deduplicate, deduplicate, deduplicate_by};
pub use self::event_hook::{AsyncEventHook, Subscription};
pub use self::filter::{afilter, afilterfalse, asift};
pub use self::lazy_constant::{AlazyConstant, alazy_constant};
pub use self::lru_cache::{AlruCache, alru_cache, alru_cache_by};
pub use self::map::amap;
pub use self::order::{amax, amin, asorted};
pub use self::per_instance::{AcachedPerInstance, acached_per_instance};
pub use self::retry::{Aretry, RetryPolicy, aretry};
pub use self::timer::AsyncTimer;
