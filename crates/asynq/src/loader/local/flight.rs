//! The task of a part, whose future can be dropped before it has ended.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use asynq_engine::TaskId;

use crate::call_stack::Site;
use crate::scheduler;
use crate::task::AsyncTask;

type Inner = Pin<Box<dyn Future<Output = ()>>>;

/// The future of a part, and its task. The flushes that wait for the part have handles to the task,
/// which owns this.
pub(super) struct Flight {
    task: Cell<Option<TaskId>>,
    /// Taken out while it is polled.
    future: Cell<Option<Inner>>,
    is_cancelled: Cell<bool>,
}

impl Flight {
    /// Creates a task for the future that `start` returns, by a call of `function`. `at` is the place of its loader.
    pub(super) fn start(
        function: &'static Site,
        at: &'static Location<'static>,
        start: impl FnOnce(TaskId) -> Inner,
    ) -> (Rc<Self>, AsyncTask<()>) {
        let flight = Rc::new(Self {
            task: Cell::new(None),
            future: Cell::new(None),
            is_cancelled: Cell::new(false),
        });
        let polled = Rc::clone(&flight);
        let task = AsyncTask::made_at(function, at, poll_fn(move |cx| polled.poll(cx)));
        let id = task.register();
        flight.task.set(Some(id));
        flight.future.set(Some(start(id)));
        (flight, task)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = self.future.take() else { return Poll::Ready(()) };
        if future.as_mut().poll(cx).is_ready() || self.is_cancelled.get() {
            return Poll::Ready(());
        }
        self.future.set(Some(future));
        Poll::Pending
    }

    /// Drops the future, and ends the task. While the future is polled, at the end of that.
    pub(super) fn cancel(&self) {
        self.is_cancelled.set(true);
        drop(self.future.take());
        if let Some(task) = self.task.get() {
            scheduler::try_with(|scheduler| scheduler.interrupt(task));
        }
    }
}
