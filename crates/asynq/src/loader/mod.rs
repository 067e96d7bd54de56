//! Loaders: a function of many keys as a function of one.

mod answer;
mod cache;
mod error;
mod fetch;
mod handle;
mod keys;
mod limit;
mod pending_keys;
mod sent_batch;
mod settings;
mod stats;

pub use self::answer::{Answer, Async, Plain, Returned};
pub use self::cache::{Cache, Lru};
pub use self::error::{LengthError, LoadError, TimeoutError};
pub use self::handle::{Key, Load, Loader, Scope};
pub use self::keys::Keys;
pub use self::limit::set_max_in_flight;
pub use self::stats::{Flushed, Stats};
