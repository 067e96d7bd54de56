//! Batches, their items, and flushes in flight.

pub(crate) mod base;
pub(crate) mod flights;
pub(crate) mod item;
pub(crate) mod priority;
