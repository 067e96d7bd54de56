//! The scheduler of a thread: its state, its loop, its reports.

pub(crate) mod call_stack;
pub(crate) mod deadlock;
pub(crate) mod drive;
pub(crate) mod handle;
pub(crate) mod state;
