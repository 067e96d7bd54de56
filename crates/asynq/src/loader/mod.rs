//! Loaders: sources of values by batch functions.

mod admit;
mod answer;
#[cfg(feature = "blocking")]
mod blocking;
mod cache;
mod caching;
mod configure;
mod error;
mod fetch;
mod flight;
mod flush;
mod function;
mod group;
mod handle;
mod hold;
mod keys;
mod limit;
mod part;
mod request;
mod settings;
mod slot_table;
mod stats;

pub use self::answer::Answer;
pub use self::cache::{Cache, Lru};
pub use self::caching::Scope;
pub use self::error::{LengthError, LoadError, TimeoutError};
pub use self::function::{Async, BatchFunction, Plain};
pub use self::group::{Group, GroupScope};
pub use self::handle::Loader;
pub use self::keys::{Key, Keys, Load};
pub use self::limit::set_max_in_flight;
pub use self::stats::{Flushed, Stats};
#[cfg(feature = "blocking")]
pub use crate::worker::Job;
