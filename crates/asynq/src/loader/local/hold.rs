//! The wait of a round that is held, so that others can join it.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::keys::{Holding, Shared};
use crate::call_stack::Site;
use crate::futures::all;
use crate::loader::key::Key;
use crate::loader::settings;
use crate::loader::threads::LocalWait;
use crate::scheduler;
use crate::task::{AsyncTask, WeakTask};

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    /// Returns the task that sends the round when it has been held long enough. The flushes of the keys
    /// that are held own it.
    pub(super) fn holding(self: &Rc<Self>) -> AsyncTask<()> {
        static HOLD: Site = Site::made("held batch of a loader");
        let pending = self.holding.borrow().as_ref().and_then(|holding| holding.task.upgrade());
        pending.unwrap_or_else(|| {
            let task = AsyncTask::made_at(&HOLD, self.at, Rc::clone(self).hold());
            let holding = Holding { task: WeakTask::of(&task), id: task.register() };
            self.holding.replace(Some(holding));
            task
        })
    }

    /// Ends the wait, if there is nothing to wait for any more.
    pub(super) fn end_hold(&self) {
        if self.machine.borrow().round_deadline().is_some() {
            return;
        }
        if let Some(holding) = self.holding.take() {
            scheduler::with(|scheduler| scheduler.interrupt(holding.id));
        }
    }

    async fn hold(self: Rc<Self>) {
        let mut wait = None;
        let started = poll_fn(|cx| self.poll_hold(&mut wait, cx)).await;
        // The next round has a task of its own.
        self.holding.take();
        drop(all(started).await);
    }

    /// Returns the tasks of the parts that it has sent, when the round is not held any more.
    fn poll_hold(
        self: &Rc<Self>,
        wait: &mut Option<(u64, LocalWait)>,
        cx: &mut Context<'_>,
    ) -> Poll<Vec<AsyncTask<()>>> {
        loop {
            let deadline = self.machine.borrow().round_deadline();
            let Some(deadline) = deadline else { return Poll::Ready(Vec::new()) };
            let (until, timer) = wait.get_or_insert_with(|| (deadline, self.wait_until(deadline)));
            if *until != deadline {
                (*until, *timer) = (deadline, self.wait_until(deadline));
            }
            if settings::now() >= deadline || timer.as_mut().poll(cx).is_ready() {
                *wait = None;
                // The timer may have another clock.
                self.machine.borrow_mut().round_late(settings::now().max(deadline));
                self.perform();
                let started = self.start_claims();
                self.sweep();
                if started.is_empty() {
                    continue;
                }
                return Poll::Ready(started);
            }
            return Poll::Pending;
        }
    }
}
