//! A batch as the scheduler flushes it.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use asynq_engine::{ItemId, TaskId};

use super::cell::{BatchCell, BatchState};
use super::error::{BatchErrorKind, BoxError, Failure};
use super::flush_step::FlushStep;
use super::slot::{Slot, is_pending};
use crate::call_stack::{AsynqStack, Site};
use crate::error::TaskError;
use crate::futures::FutureBase;
use crate::recording;
use crate::scheduler::{self, Flushable};
use crate::task::AsyncTask;

impl<K: 'static, V: 'static> Flushable for BatchCell<K, V> {
    fn flush(self: Rc<Self>) -> Option<TaskId> {
        let is_admitting = self.state.get() == BatchState::Admitting;
        self.entry.hold();
        let flush = AssertUnwindSafe(|| {
            if is_admitting {
                let error = "code that compares the keys of this batch waits for the batch";
                return FlushStep::Done(Err(error.into()));
            }
            self.state.set(BatchState::Flushing);
            self.admit();
            let (source, keys) = (Rc::clone(&self.source), self.keys.take());
            source.flush(keys, Rc::downgrade(&self))
        });
        let outcome = match catch_unwind(flush) {
            Ok(FlushStep::Later(rest)) => {
                let task = AsyncTask::made_at(self.source.flush_site(), self.at, rest);
                let id = task.register();
                let cell = Rc::downgrade(&self);
                task.on_computed(move || {
                    let Some(cell) = cell.upgrade() else { return };
                    let task = cell.flush_task.take().expect("kept since the flush began");
                    cell.finish(task.outcome());
                    cell.entry.close();
                });
                *self.flush_task.borrow_mut() = Some(task);
                return Some(id);
            }
            Ok(FlushStep::Done(result)) => Ok(result),
            Err(payload) => Err(TaskError::from_panic(payload, AsynqStack::default)),
        };
        self.finish(outcome);
        None
    }

    fn report_held(&self) {
        let slots = self.slots.borrow();
        self.entry.report_held((0..self.item_count()).filter(|&index| !is_pending(&slots, index)));
    }

    fn name(&self) -> String {
        self.name()
    }

    fn flush_function(&self) -> (&'static Site, &'static Location<'static>) {
        (self.source.flush_site(), self.at)
    }

    fn base_priority(&self) -> i64 {
        self.base_priority
    }

    fn count(self: Rc<Self>) -> usize {
        BatchCell::count(&self)
    }
}

impl<K, V> BatchCell<K, V> {
    /// Ends the flush: items without a value or error fail. A panic that no item is left for goes to
    /// the call that drives the flush.
    fn finish(&self, outcome: Result<Result<(), BoxError>, TaskError>) {
        self.state.set(BatchState::Flushed);
        let failure = match outcome {
            Ok(Ok(())) => Failure::Error(BatchErrorKind::NotSet),
            Ok(Err(error)) => Failure::error(error),
            Err(panic) => {
                if self.pending.get() == 0 {
                    scheduler::try_with(|scheduler| scheduler.keep_panic(panic.clone()));
                }
                Failure::Panic(panic)
            }
        };
        self.fail_pending(&failure);
        if recording::is_on() {
            self.record_failures(&failure);
        }
        if self.duplicates.get() > 0 {
            self.distribute();
        }
        // If no item has taken the error, this drops it. Nobody could handle a panic of that.
        drop(catch_unwind(AssertUnwindSafe(|| drop(failure))));
        self.run_callbacks();
    }

    /// Records how many keys have failed, and whether all have the error of the flush.
    #[cold]
    fn record_failures(&self, failure: &Failure) {
        let Some(ItemId { batch, .. }) = self.entry.item(0) else { return };
        let failed =
            self.slots.borrow().iter().filter(|slot| matches!(slot, Slot::Failed(_))).count();
        recording::flush_fails(batch, failed, failure.of_flush().as_deref());
    }
}
