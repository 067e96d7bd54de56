//! Loaders: the part that every key passes through.

mod ask;
pub(crate) mod asyncio_future;
pub(crate) mod base;
mod bindings;
mod bound;
mod cache_key;
pub(crate) mod cached_loads;
mod cached_value;
pub(crate) mod counter;
pub(crate) mod delivery;
pub(crate) mod flight_methods;
pub(crate) mod jobs;
pub(crate) mod load;
mod methods;
pub(crate) mod outcomes;
pub(crate) mod permit_wait;
pub(crate) mod permits;
pub(crate) mod round;
mod round_methods;
pub(crate) mod rounds;
