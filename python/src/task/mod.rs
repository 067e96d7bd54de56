//! Tasks: their state, one step of them, and the structures that they yield.

pub(crate) mod async_task;
pub(crate) mod body;
pub(crate) mod cleanup;
mod dropped;
pub(crate) mod foreign;
pub(crate) mod forgotten;
pub(crate) mod gather;
mod gather_methods;
mod methods;
pub(crate) mod step;
pub(crate) mod yielded;
