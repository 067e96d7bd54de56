//! Loaders of one thread, for functions, keys and values that are not `Send`.

mod admit;
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
mod slot_table;

pub use self::caching::LocalScope;
pub use self::function::LocalBatchFunction;
pub(super) use self::group::Membership;
pub use self::group::{LocalGroup, LocalGroupScope};
pub use self::handle::LocalLoader;
pub use self::keys::{LocalKeys, LocalLoad};
pub use self::limit::set_max_in_flight;
