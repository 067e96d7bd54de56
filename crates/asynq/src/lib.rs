//! Asynchronous functions that batch by themselves.
//!
//! Write the plain program, that asks for one thing at a time. Async functions run until every one
//! of them is blocked; only then all the keys that they asked for leave together, one request for
//! each source.
//!
//! ```
//! use std::rc::Rc;
//! use asynq::{Batch, Items, Source, all, asynq};
//!
//! /// The store: answers any number of keys in one request.
//! struct Names;
//!
//! impl Batch for Names {
//!     type Key = u32;
//!     type Value = String;
//!     type Flush = ();
//!
//!     fn flush(self: Rc<Self>, items: Items<Self>) {
//!         println!("SELECT name FROM user WHERE id IN {:?}", items.keys());
//!         items.set_values(|id| Some(format!("user {id}")));
//!     }
//! }
//!
//! thread_local! {
//!     static NAMES: Source<Names> = Source::new(Names);
//! }
//!
//! /// One user, one name.
//! #[asynq]
//! async fn greeting(id: u32) -> String {
//!     let name = NAMES.with(|names| names.item(id)).await;
//!     format!("Hello, {}!", name.expect("the store answers every key"))
//! }
//!
//! /// Three greetings, one request.
//! #[asynq]
//! async fn greetings() -> Vec<String> {
//!     all((1..=3).map(greeting::asynq)).await
//! }
//!
//! assert_eq!(greetings()[2], "Hello, user 3!");   // a plain call, from anywhere
//! ```
//!
//! # The parts
//!
//! - [`#[asynq]`](macro@asynq) on an `async fn` gives it two forms: `f(a)` runs to the value, from
//!   anywhere, also inside other tasks; `f::asynq(a)` is an [`AsyncTask`], to be awaited with
//!   others.
//! - [`Batch`] describes how a source answers many keys, a [`Source`] collects what it is asked for,
//!   a [`BatchItem`] is one key asked for.
//! - [`all`] and [`try_all`] await many futures at once. [`ConstFuture`], [`ErrorFuture`],
//!   [`LazyFuture`] and [`promise`] are futures without a function behind them. [`FutureBase`] is
//!   what all of them can do.
//! - [`async_proxy`] is for a function that returns a future itself, [`async_call!`] calls functions
//!   of either kind; with the feature `mock`, tests can replace any of them.
//! - [`AsyncContext`]s and [`ScopedValue`]s follow the task that entered them.
//! - A [`generator`] gives many values, one at a time.
//! - [`debug`] tells which function called which, and what the scheduler does.
//! - A [`Loader`] makes a source of a function from many keys to their values, [`stores`] make one of
//!   a table, or of a cache.
//! - [`tools`] has relatives of iterators' methods for async functions, caches, retries, a timer.
//!
//! # When is a batch flushed?
//!
//! When nothing else can run, and not before: there is no timer and no tick. Then the batch of
//! highest priority goes, by default the one with the most items. The same program with the same
//! input makes the same batches, always. Tasks that can never go on are reported as a deadlock that
//! names them: nothing waits for ever, except for a future from elsewhere that nobody wakes, which
//! looks like one that another thread will wake.
//!
//! # Threads
//!
//! Each thread has a scheduler of its own; tasks, sources and items stay on the thread they were
//! made on. Other futures (I/O, channels) may be awaited inside a task and may wake it from any
//! thread, and futures of this crate work inside `join!`, `select!` and `FuturesUnordered`.
//!
//! Another executor on the same thread (a `LocalSet` or current-thread runtime of tokio,
//! `futures::executor`) awaits the futures of this crate like any others. Whichever it polls drives
//! all that were asked for from outside, so that requests share batches, and I/O inside tasks goes
//! on; [`value`](FutureBase::value) would block the thread until its own end. Inside a task, call
//! that, not a `block_on` around one of our futures: the task that it holds up would have to drive
//! it.
//!
//! A `Send` handler on a multi-thread runtime gives its request to a thread of a pool, by
//! `spawn_pinned` (feature `tokio`).
//!
//! # Panics
//!
//! A panic in a task reaches those who wait for it, and then the caller, with the asynq stack in its
//! message; the scheduler remains usable. See [`TaskError`].
#![forbid(unsafe_code)]

mod async_call;
mod batch;
mod call_stack;
mod callbacks;
mod context;
pub mod debug;
mod error;
mod futures;
pub mod generator;
pub mod loader;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "tokio")]
mod pinned;
#[doc(hidden)]
pub mod plumbing;
mod scheduler;
pub mod stores;
mod task;
pub mod tools;
mod type_name;

pub use asynq_batch_macros::{async_proxy, asynq};

pub use crate::batch::{
    Batch, BatchError, BatchErrorKind, BatchHandle, BatchItem, BoxError, Flush, Item, Items,
    ItemsIter, Source,
};
pub use crate::context::{
    AsyncContext, NonAsyncContext, ScopedOverride, ScopedValue, WithContext, call_with_context,
    with_context,
};
pub use crate::error::{TaskError, TaskErrorKind};
pub use crate::futures::{
    All, ConstFuture, ErrorFuture, FutureBase, Joinable, LazyFuture, Parts, Transpose, TryAll, all,
    try_all,
};
pub use crate::loader::Loader;
#[cfg(feature = "tokio")]
pub use crate::pinned::{Pinned, PinnedError, Pool, spawn_pinned};
pub use crate::task::{AsyncTask, Promise, PromiseFuture, promise};

/// The examples of the guide are tests.
#[cfg(all(doctest, feature = "mock", feature = "tracing"))]
#[doc = include_str!("../../../docs/rust.md")]
struct Guide;

/// Those of the pages about stores as well.
#[cfg(all(
    doctest,
    feature = "memcached",
    feature = "redis",
    feature = "rusqlite",
    feature = "tokio-postgres"
))]
#[doc = include_str!("../../../docs/stores/sqlite.md")]
#[doc = include_str!("../../../docs/stores/postgresql.md")]
#[doc = include_str!("../../../docs/stores/redis.md")]
#[doc = include_str!("../../../docs/stores/memcached.md")]
#[doc = include_str!("../../../docs/stores/cache.md")]
struct Stores;

/// And those of the first page.
#[cfg(all(doctest, feature = "rusqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
