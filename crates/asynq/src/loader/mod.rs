//! Loaders: sources of values by batch functions.

mod answer;
mod cache;
mod configure;
mod error;
mod fetch;
mod flight;
mod flush;
mod handle;
mod keys;
mod limit;
mod part;
mod request;
mod settings;
mod slot_table;
mod stats;

pub use self::answer::{Answer, Async, Plain, Returned};
pub use self::cache::{Cache, Lru};
pub use self::error::{LengthError, LoadError, TimeoutError};
pub use self::handle::{Loader, Scope};
pub use self::keys::{Key, Keys, Load};
pub use self::limit::set_max_in_flight;
pub use self::stats::{Flushed, Stats};
