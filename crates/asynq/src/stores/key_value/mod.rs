//! Key-value stores: a loader of operations, and a cache of functions on top of it.

mod cached;
mod codec;
mod key_format;
#[cfg(feature = "memcached")]
mod memcached;
mod operation;
mod operation_future;
mod operations;
#[cfg(feature = "redis")]
mod redis;
mod store;

pub use self::cached::Cached;
pub use self::codec::{Codec, Json, JsonOk};
#[cfg(feature = "memcached")]
pub use self::memcached::Memcached;
pub use self::operation_future::OperationFuture;
#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use self::store::KeyValue;
