//! Event loops: a scheduler for each, which callbacks of the loop drive.

pub(crate) mod call;
pub(crate) mod call_drop;
pub(crate) mod call_methods;
pub(crate) mod call_step;
pub(crate) mod cancel;
pub(crate) mod cancel_request;
pub(crate) mod current_task;
pub(crate) mod deadlocks;
pub(crate) mod drive;
pub(crate) mod foreign;
pub(crate) mod host;
pub(crate) mod notify;
pub(crate) mod per_loop;
pub(crate) mod start;
pub(crate) mod wait_methods;
