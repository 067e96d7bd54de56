//! Recording of what tasks wait for, for `asynq.explain()`.

use pyo3::prelude::*;

use crate::batch::item::BatchItemBase;
use crate::batch::recorded as batches;
use crate::explain::hooks::{self, Wait};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;
use crate::task::body::Body;
use crate::task::yielded;

/// Records that a task waits for the pending futures in what it has yielded.
#[cold]
pub(crate) fn waits(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    yielded: &Bound<'_, PyAny>,
) {
    record(scheduler, task, yielded, true);
}

/// Records that a task sees the values in what it has yielded, for which it did not have to wait.
#[cold]
pub(crate) fn sees(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>, yielded: &Bound<'_, PyAny>) {
    record(scheduler, task, yielded, false);
}

fn record(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    yielded: &Bound<'_, PyAny>,
    is_pending: bool,
) {
    let py = task.py();
    let number = AsyncTask::recorded(task);
    let generator = match &task.state().body {
        Body::Generator(generator) => Some(generator.get().bind(py).clone()),
        Body::Missing | Body::Call | Body::Ended => None,
    };
    let Some(wait) = Wait::begin(py, number, generator.as_ref()) else { return };
    let mut any = false;
    let _ = yielded::for_each_future(yielded, &mut |future| {
        if FutureBase::is_pending(future) == is_pending {
            any |= need(scheduler, &wait, future);
        }
        Ok(())
    });
    if is_pending {
        wait.end();
    } else if any {
        wait.end();
        hooks::runs(py, number);
    }
}

/// Records one future of a wait. Returns whether that is recorded.
fn need(scheduler: &Scheduler, wait: &Wait<'_>, future: &Bound<'_, FutureBase>) -> bool {
    if let Ok(task) = future.cast::<AsyncTask>() {
        AsyncTask::record_late(task, scheduler.id());
        wait.needs_task(AsyncTask::recorded(task));
        return AsyncTask::recorded(task) != 0;
    }
    let Ok(item) = future.cast::<BatchItemBase>() else { return false };
    let Some((place, batch)) = batches::place(item) else { return false };
    if wait.needs_item(place)
        && let Some((source, key)) = batches::source_and_key(&batch, item)
    {
        wait.asks(place, source, key);
    }
    true
}

/// Returns the number of the task that runs: `None` outside of tasks.
pub(crate) fn running(scheduler: &Scheduler, py: Python<'_>) -> Option<u32> {
    let task = scheduler.call_stack.task(py).ok()??;
    Some(AsyncTask::recorded(&task))
}
