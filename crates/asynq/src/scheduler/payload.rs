//! The types that this library gives to the engine for tasks, batches and contexts.

use std::panic::Location;
use std::rc::{Rc, Weak};

use asynq_engine::{Host, TaskId};

use crate::call_stack::Site;
use crate::context::AsyncContext;
use crate::task::computation::AnyComputation;

/// The payload types of the engine.
pub(crate) struct Payloads;

impl Host for Payloads {
    type Task = AnyComputation;
    type Batch = Weak<dyn Flushable>;
    type Context = Weak<dyn AsyncContext>;
    type Priority = (i64, usize);
}

/// A batch as the scheduler knows it.
pub(crate) trait Flushable {
    /// Flushes the batch. Returns the task that goes on with the flush, if it awaits something.
    fn flush(self: Rc<Self>) -> Option<TaskId>;
    /// Reports the items that were held back during the flush: see `Note: held items`.
    fn report_held(&self);
    fn name(&self) -> String;
    /// Describes the function of the flush, and the place where its source was made.
    fn flush_function(&self) -> (&'static Site, &'static Location<'static>);
    fn base_priority(&self) -> i64;
    /// Returns the number of items, duplicates excluded.
    fn count(self: Rc<Self>) -> usize;
}
