//! The scheduler of a thread: drives the engine, and lends it to the futures that are polled.

mod deadlock;
mod drive;
mod foreign;
pub(crate) mod poll;
mod waker;

pub(crate) use self::drive::{Scheduler, try_with, with};
