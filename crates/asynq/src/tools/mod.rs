//! Mapping, filtering, sorting, caching and retrying with async functions.
//!
//! [`amap`], [`afilter`], [`asorted`] and their relatives call an async function for each element. An
//! async function is anything that takes an argument and returns a future of this crate: `f::asynq`, or
//! a closure such as `|id| names.item(id)`.
//!
//! [`deduplicate`], [`alru_cache`], [`alazy_constant`], [`acached_per_instance`] and [`aretry`] wrap an
//! async function. The result has both kinds of calls, `g.asynq(a)` and `g.call(a)`, and belongs to one
//! thread: keep it in a `thread_local!`, or in a field of an object. For a function with several
//! arguments, use a tuple: `deduplicate(|(user, number)| page::asynq(user, number))`. Nothing is locked
//! or borrowed during a call, so functions may call themselves and each other; only the `Hash` and `Eq`
//! of an argument must not call them.
//!
//! An [`AsyncTimer`] measures a task without the time in which it waits. An [`AsyncEventHook`] calls
//! async functions when an event occurs.

mod cached;
mod deduplicate;
mod event_hook;
mod filter;
mod lazy_constant;
mod lru_cache;
mod map;
mod order;
mod per_instance;
mod pin_scope;
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
