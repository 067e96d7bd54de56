//! The synchronisation primitives of the wake queue.
//!
//! `waker` takes them from here, because the models of `crates/asynq/loom` compile that file with
//! the primitives of loom.

pub(super) use std::sync::Mutex;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(super) use std::thread::{Thread, current, park};

/// Returns whether `thread` is the one that runs.
pub(super) fn is_current(thread: &Thread) -> bool {
    current().id() == thread.id()
}
