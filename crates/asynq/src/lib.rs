//! Asynchronous functions with implicit batching.
//!
//! Write a plain program that requests one value at a time. asynq runs async functions until all of
//! them are blocked. Then it sends all the keys they requested, in one request per source.
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
//! # Overview
//!
//! - [`#[asynq]`](macro@asynq) on an `async fn` gives it two kinds of calls. `f(a)` runs the function
//!   to its value, from anywhere, also inside other tasks. `f::asynq(a)` returns a [`Call`], to
//!   be awaited, alone or together with others.
//! - [`AsyncTask`] is a call that runs once and can be shared, or any other future as one.
//! - [`Batch`] describes how a source answers many keys. A [`Source`] collects the requested keys in
//!   batches. A [`BatchItem`] is the future of one value.
//! - [`all`] and [`try_all`] await many futures together. [`ConstFuture`], [`ErrorFuture`],
//!   [`LazyFuture`] and [`promise`] are futures without a function. [`FutureBase`] is the trait of all
//!   futures of this crate.
//! - [`async_proxy`] is for functions that return a future themselves. [`async_call!`] calls functions
//!   of either kind. With the feature `mock`, tests can replace any of them.
//! - [`AsyncContext`]s and [`ScopedValue`]s follow the task that entered them.
//! - A [`generator`] produces many values, one at a time.
//! - [`debug`] shows which function called which, and the steps of the scheduler. With the feature `explain`, recordings say
//!   which lines of code cost rounds.
//! - A [`Loader`] is a source by a function from many keys to their values, for all threads: keep it in a
//!   `static`. [`request()`] sends the keys of a handler together, on any executor. [`stores`] has loaders for
//!   databases and caches.
//! - [`tools`] has functions for mapping, caching and retrying, and a timer.
//!
//! # When is a batch flushed?
//!
//! A batch is flushed when no task can run, and not before: there is no timer and no tick. The
//! scheduler flushes the batch of the highest priority, by default the one with the most items. The
//! same program with the same input always makes the same batches. Tasks that can never run again are
//! reported as a deadlock that names them. The only thing that a task can wait for without end is a
//! future from elsewhere that nobody wakes, since another thread might.
//!
//! There are two exceptions, for programs in which some task can always run. Under another executor,
//! all batches are flushed when tasks have been running for 1 s, or for 5 ms in very many turns. A
//! [`Loader`] may have a [`max_delay`](Loader::max_delay).
//!
//! # Threads
//!
//! Each thread has a scheduler of its own. Tasks, sources and items belong to the thread that created
//! them. A task may await any other future (I/O, channels), which may wake it from any thread. Futures
//! of this crate work inside `join!`, `select!` and `FuturesUnordered`.
//!
//! Another executor on the same thread (a `LocalSet` or current-thread runtime of tokio,
//! `futures::executor`) awaits the futures of this crate like any others. Each poll by such an
//! executor drives all requests from outside of tasks, so that they share batches, and other I/O goes
//! on meanwhile. [`value`](FutureBase::value) blocks the thread to its end instead. A `block_on` inside a task, or
//! inside a [`request()`], drives what it waits for, as `value` does. Where its thread would have to run the tokio
//! runtime that it waits for, it is an error at once.
//!
//! A [`Loader`] and its loads belong to no thread. A `Send` handler on a multi-thread runtime awaits them in a
//! [`request()`]; `RequestLayer` (feature `tower`) and `RequestExtension` (feature `async-graphql`) make each request of
//! a server one. What is not `Send` runs on a thread of a pool, by `spawn_pinned` (feature `tokio`).
//!
//! # The name of the package
//!
//! The package is `asynq-batch`, and its library `asynq`. The package `asynq` in the Rust registry is an unrelated task queue. In
//! a program that gives this library another name, the attribute needs that: `#[batching::asynq(crate = batching)]`.
//!
//! # Panics
//!
//! A panic in a task reaches the tasks that wait for it, and then the caller, with the asynq stack in
//! its message. The scheduler remains usable. See [`TaskError`].
#![forbid(unsafe_code)]

mod async_call;
mod batch;
mod call_stack;
mod callbacks;
mod clock;
mod context;
pub mod debug;
mod error;
#[cfg(feature = "explain")]
pub mod explain;
mod futures;
pub mod generator;
pub mod loader;
#[cfg(feature = "mock")]
pub mod mock;
mod nested_wakers;
#[cfg(feature = "tokio")]
mod pinned;
#[doc(hidden)]
pub mod plumbing;
#[cfg_attr(not(feature = "explain"), path = "no_recording.rs")]
mod recording;
mod request;
mod scheduler;
pub mod stores;
mod task;
pub mod tools;
mod type_name;
mod waiting_calls;
#[cfg(feature = "blocking")]
mod worker;

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
    All, ConstFuture, ErrorFuture, FutureBase, Joinable, LazyFuture, Outcome, Parts, Transpose,
    TryAll, all, outcome, try_all,
};
pub use crate::loader::{Loader, LocalLoader};
#[cfg(feature = "tokio")]
pub use crate::pinned::{Pinned, PinnedError, Pool, spawn_pinned};
#[cfg(feature = "async-graphql")]
pub use crate::request::RequestExtension;
pub use crate::request::{Request, request};
#[cfg(feature = "tower")]
pub use crate::request::{RequestLayer, RequestService};
pub use crate::scheduler::set_max_call_stack;
pub use crate::task::{
    AsyncCall, AsyncTask, Call, JoinedCall, JoinedCalls, Promise, PromiseFuture, promise,
};
