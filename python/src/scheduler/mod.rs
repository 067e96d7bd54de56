//! The scheduler of a thread: its state, its loop, and its object in Python.

pub(crate) mod active_scopes;
pub(crate) mod blocked_loops;
pub(crate) mod blocking_call;
pub(crate) mod call_stack;
pub(crate) mod contexts;
pub(crate) mod deadlock;
pub(crate) mod drive;
mod entered_contexts;
pub(crate) mod frame;
pub(crate) mod greenlets;
pub(crate) mod handle;
pub(crate) mod handle_methods;
mod held_batches;
pub(crate) mod inbox;
mod inline_starts;
pub(crate) mod job;
mod news;
pub(crate) mod recorded;
pub(crate) mod register;
pub(crate) mod registry;
pub(crate) mod running;
mod sleep;
pub(crate) mod snapshots;
pub(crate) mod starts;
pub(crate) mod state;
pub(crate) mod variables;
