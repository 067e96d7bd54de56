//! Loaders: sources of values by batch functions.

mod answer;
#[cfg(feature = "blocking")]
mod blocking;
mod cache;
mod caches;
mod caching;
mod call;
mod calls;
mod configuration;
mod configure;
mod effects;
mod entry;
mod error;
mod failure;
mod fetch;
mod flight;
mod function;
mod group;
mod handle;
mod host;
mod host_batch;
mod id;
mod job;
mod key;
mod limits;
mod load;
mod local;
mod lookup;
mod outputs;
mod outside;
mod parts;
mod per;
#[cfg_attr(
    not(any(
        feature = "tokio",
        feature = "tokio-postgres",
        feature = "redis",
        feature = "memcached"
    )),
    path = "no_runtime.rs"
)]
mod runtime;
mod scope;
mod scope_cache;
mod sending;
mod settings;
mod shared;
mod spare;
mod state;
mod stats;
mod thread_lock;
mod threads;
mod wakers;
mod waking;

pub use self::answer::Answer;
pub use self::cache::{Cache, CacheLimits, Lru};
pub use self::error::{LengthError, LoadError, TimeoutError};
pub use self::function::{Async, BatchFunction, Plain};
pub use self::group::Group;
pub use self::handle::Loader;
pub use self::key::Key;
pub use self::load::Load;
pub use self::local::{
    LocalBatchFunction, LocalGroup, LocalGroupScope, LocalKeys, LocalLoad, LocalLoader, LocalScope,
    set_max_in_flight,
};
pub use self::per::{Per, per};
pub use self::scope::Scope;
pub use self::stats::{Flushed, Stats};
#[cfg(feature = "blocking")]
pub use crate::worker::Job;
