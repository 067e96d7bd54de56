//! Tasks: the state of one, and one step of it.

pub(crate) mod async_task;
pub(crate) mod body;
pub(crate) mod methods;
pub(crate) mod step;
pub(crate) mod yielded;
