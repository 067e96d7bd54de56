//! The sleep of a synchronous call, until a task of it is woken.

use std::fmt::Write as _;

use asynq_engine::{Status, TaskId};

use super::runtime::{self, Standstill};
use super::state::Scheduler;
use crate::error::{TaskError, TaskErrorKind};
use crate::task::computation::AnyComputation;

impl Scheduler {
    /// Waits for a wake-up. May return without one.
    ///
    /// # Errors
    ///
    /// If there would be none, since no other thread runs the tokio runtime that wakes.
    pub(super) fn sleep(&self) -> Result<(), Standstill> {
        if self.wake_queue.is_filled() {
            return Ok(());
        }
        runtime::sleep(self.is_woken_by_threads(), || self.wake_queue.park())
    }

    /// Returns whether other threads will wake this one, whatever becomes of its runtime.
    pub(super) fn is_woken_by_threads(&self) -> bool {
        !self.thread_waits.is_empty() || self.flush_timer.is_set()
    }

    /// Returns the error of a call of `root` that cannot sleep.
    pub(super) fn sleepless(
        &self,
        root: TaskId,
        caller: Option<&AnyComputation>,
        standstill: Standstill,
    ) -> TaskError {
        let waiting = {
            let engine = &*self.engine();
            let is_outside = |task| {
                engine.status(task) == Some(Status::Blocked) && engine.dependencies(task).is_empty()
            };
            engine.find_awaited(root, is_outside).unwrap_or(root)
        };
        let name = |task| self.engine().task(task).map(|task| task.to_string()).unwrap_or_default();
        let reason = match standstill {
            Standstill::Held => "it holds the only thread of the tokio runtime that has to go on",
            Standstill::Idle => {
                "no thread runs the tokio runtime that has to go on (`Runtime::enter` alone does not run it)"
            }
        };
        let mut message = format!("a synchronous call would wait for ever, because {reason}. ");
        // Writing to a string does not fail.
        let _ = match name(waiting) {
            waiting if waiting == name(root) => write!(message, "It calls {waiting}"),
            waiting => write!(message, "It calls {}, which waits for {waiting}", name(root)),
        };
        message.push_str(match standstill {
            Standstill::Held => {
                ". Await the asynchronous form of the call (`f::asynq(..).await`) instead, or run the I/O on another \
                 runtime (`asynq::stores::run_io`)"
            }
            Standstill::Idle => {
                ". Await the asynchronous form of the call inside of the runtime instead \
                 (`runtime.block_on(f::asynq(..).into_future())`), or use a multi-thread runtime"
            }
        });
        let stack = caller.map(|caller| caller.stack()).unwrap_or_default();
        TaskError::new(TaskErrorKind::Deadlock, message, stack)
    }
}
