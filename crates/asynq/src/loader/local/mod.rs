//! Loaders of one thread, for functions, keys and values that are not `Send`.

mod admit;
#[cfg(feature = "blocking")]
mod blocking;
mod caching;
mod configure;
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
mod scope_cache;
mod settings;
mod slot_table;

pub use self::caching::LocalScope;
pub use self::function::LocalBatchFunction;
pub use self::group::{LocalGroup, LocalGroupScope};
pub use self::handle::LocalLoader;
pub use self::keys::{LocalKeys, LocalLoad};
pub use self::limit::set_max_in_flight;
