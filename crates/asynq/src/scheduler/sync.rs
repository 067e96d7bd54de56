//! The synchronisation primitives of the wake queue.
//!
//! `waker` takes them from here, because the models of `crates/asynq/loom` compile that file with
//! the primitives of loom.

pub(super) use std::sync::Mutex;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
pub(super) use std::thread::{Thread, current, park};
