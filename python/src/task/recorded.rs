//! Recording of what tasks wait for, for `asynq.explain()`.

use pyo3::prelude::*;
use smallvec::SmallVec;

use crate::batch::item::BatchItemBase;
use crate::batch::recorded as batches;
use crate::explain::hooks::{self, Asked};
use crate::explain::step::Need;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::loader::load::Load;
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
    if number == 0 {
        return;
    }
    let mut needs = Needs::default();
    if let Ok(item) = yielded.cast::<BatchItemBase>() {
        if FutureBase::is_pending(item.as_super()) == is_pending {
            needs.add_item(item);
        }
    } else {
        let _ = yielded::for_each_future(yielded, &mut |future| {
            if FutureBase::is_pending(future) == is_pending {
                needs.add(scheduler, future);
            }
            Ok(())
        });
    }
    if !is_pending && needs.all.is_empty() {
        return;
    }
    let generator = generator_of(task);
    hooks::waits(py, number, generator.as_ref(), &needs.all, &needs.asked);
    if !is_pending {
        hooks::runs(py, number);
    }
}

/// The futures that a task waits for.
#[derive(Default)]
struct Needs {
    all: SmallVec<[Need; 1]>,
    /// Items of the user among them, for which somebody may have asked before.
    asked: SmallVec<[Asked; 1]>,
}

impl Needs {
    fn add(&mut self, scheduler: &Scheduler, future: &Bound<'_, FutureBase>) {
        if let Ok(task) = future.cast::<AsyncTask>() {
            let mut number = AsyncTask::recorded(task);
            if number == 0 {
                AsyncTask::record_late(task, scheduler.id()); // The recording has begun since.
                number = AsyncTask::recorded(task);
            }
            if number != 0 {
                self.all.push(Need::Task(number));
            }
        } else if let Ok(item) = future.cast::<BatchItemBase>() {
            self.add_item(item);
        }
    }

    fn add_item(&mut self, item: &Bound<'_, BatchItemBase>) {
        let Some((place, batch)) = batches::place(item) else { return };
        self.all.push(Need::Item(place));
        if item.is_exact_instance_of::<Load>() {
            return; // It was asked for when it was made.
        }
        hooks::observe(item.py(), place);
        let (source, key) = batches::source_and_key(&batch, item);
        self.asked.push((place, source, key));
    }
}

/// Returns the number of the task that runs, and its generator or coroutine; `None` outside of tasks.
pub(crate) fn running<'py>(
    scheduler: &Scheduler,
    py: Python<'py>,
) -> Option<(u32, Option<Bound<'py, PyAny>>)> {
    let task = scheduler.call_stack.task(py).ok()??;
    let generator = generator_of(&task);
    Some((AsyncTask::recorded(&task), generator))
}

fn generator_of<'py>(task: &Bound<'py, AsyncTask>) -> Option<Bound<'py, PyAny>> {
    match &task.state().body {
        Body::Generator(generator) => Some(generator.get().bind(task.py()).clone()),
        Body::Missing | Body::Call | Body::Ended => None,
    }
}
