//! Asynchronous functions that batch by themselves.
#![forbid(unsafe_code)]

mod batch;
mod context;
mod deadlock;
pub mod debug;
mod error;
mod futures;
mod graveyard;
mod join;
mod listeners;
mod parts;
#[doc(hidden)]
pub mod plumbing;
mod promise;
mod scheduler;
mod scoped_value;
mod stack;
mod sync;
mod task;
mod waker;

pub use asynq_batch_macros::asynq;

pub use crate::batch::{
    Batch, BatchError, BatchErrorKind, BatchHandle, BatchItem, BoxError, Flush, Item, Items, Source,
};
pub use crate::context::{
    AsyncContext, NonAsyncContext, WithContext, call_with_context, with_context,
};
pub use crate::error::{TaskError, TaskErrorKind};
pub use crate::futures::{ConstFuture, ErrorFuture, FutureBase, LazyFuture};
pub use crate::join::{All, TryAll, all, try_all};
pub use crate::parts::{Joinable, Parts, Transpose};
pub use crate::promise::{Promise, PromiseFuture, promise};
pub use crate::scoped_value::{ScopedOverride, ScopedValue};
pub use crate::task::AsyncTask;
