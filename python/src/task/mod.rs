//! Tasks: their state, one step of them, and the structures that they yield.

pub(crate) mod async_task;
pub(crate) mod body;
pub(crate) mod cleanup;
pub(crate) mod code;
mod dropped;
pub(crate) mod foreign;
pub(crate) mod forgotten;
pub(crate) mod gather;
mod gather_methods;
pub(crate) mod inline;
mod methods;
pub(crate) mod recorded;
pub(crate) mod step;
pub(crate) mod yielded;
