//! Tasks and promises: computations that the scheduler drives, and the handles to them.

mod call;
mod chunk;
pub(crate) mod computation;
mod deferred_drop;
mod end;
mod future;
mod handle;
mod joined_call;
mod joined_calls;
mod joined_tasks;
pub(crate) mod on_stack;
mod polled_calls;
mod promise;
mod request;
mod weak;

#[cfg(feature = "mock")]
pub(crate) use self::call::ValueOf;
pub use self::call::{AsyncCall, Call};
pub use self::handle::AsyncTask;
pub(crate) use self::handle::BLOCK;
pub use self::joined_call::JoinedCall;
pub use self::joined_calls::JoinedCalls;
pub(crate) use self::promise::promise_at;
pub use self::promise::{Promise, PromiseFuture, promise};
pub(crate) use self::weak::WeakTask;
