//! Tasks and promises: computations that the scheduler drives, and the handles to them.

pub(crate) mod computation;
mod deferred_drop;
mod handle;
pub(crate) mod promise;
mod weak;

pub use self::handle::AsyncTask;
pub use self::promise::{Promise, PromiseFuture, promise};
pub(crate) use self::weak::WeakTask;
