//! Batches, their items, and flushes in flight.

pub(crate) mod base;
pub(crate) mod flights;
pub(crate) mod flush;
pub(crate) mod item;
pub(crate) mod item_methods;
pub(crate) mod join;
mod methods;
pub(crate) mod priority;
pub(crate) mod recorded;
pub(crate) mod registration;
