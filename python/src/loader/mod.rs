//! Loaders: the face of `asynq-loader`, and the part that every key passes through.

pub(crate) mod ask;
pub(crate) mod asyncio_future;
pub(crate) mod base;
mod batch;
mod batch_methods;
mod bindings;
mod bound;
mod cache_key;
mod cached_value;
mod delivery;
pub(crate) mod ends;
pub(crate) mod flight_methods;
mod host;
mod host_methods;
pub(crate) mod jobs;
mod key_table;
pub(crate) mod load;
mod load_methods;
mod methods;
pub(crate) mod nodes;
pub(crate) mod outcomes;
pub(crate) mod permit_wait;
pub(crate) mod permits;
pub(crate) mod recorded;
pub(crate) mod send;
pub(crate) mod variant;
mod varies;
