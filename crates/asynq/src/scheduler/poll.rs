//! The poll that is under way, and what is asked for in it.

use std::cell::Cell;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use asynq_engine::{ContextId, Dependency};

use crate::futures::sealed::Request;
use crate::scheduler::{self, Scheduler};

/// What the task that is being polled has asked for so far.
#[derive(Default)]
pub(crate) struct Polling {
    /// How many awaits are pending: one in `t.await` and `all(..)`, several in `join!`.
    pub(crate) awaits: Cell<usize>,
    /// The context that the first of them is in, if its branch was left with nothing pending
    /// outside; and how many were pending then.
    pub(crate) inside: Cell<Option<(ContextId, usize)>>,
    /// The address of the task's own waker; a poll with another one comes from a combinator that
    /// has to be told which of its futures is ready.
    waker: Cell<Option<NonNull<()>>>,
}

impl Polling {
    /// A poll begins, with `waker`.
    #[inline]
    pub(crate) fn begin(&self, waker: &Waker) {
        self.awaits.set(0);
        self.inside.set(None);
        self.waker.set(NonNull::new(waker.data().cast_mut()));
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.waker.set(None);
    }

    /// Puts a poll aside, while a call inside it polls others.
    pub(crate) fn suspend(&self) -> Self {
        Self {
            awaits: self.awaits.take().into(),
            inside: self.inside.take().into(),
            waker: self.waker.take().into(),
        }
    }

    pub(crate) fn resume(&self, suspended: &Self) {
        self.awaits.set(suspended.awaits.get());
        self.inside.set(suspended.inside.get());
        self.waker.set(suspended.waker.get());
    }
}

/// Who asks for a future.
pub struct Asking<'a> {
    pub(crate) scheduler: &'a Scheduler,
    /// To be woken besides, for a combinator that polls only what it was told of.
    pub(crate) waker: Option<&'a Waker>,
}

/// Polls `future`: the running task asks for it, in one await.
#[inline]
pub(crate) fn poll<F: Request>(future: &mut F, cx: &Context<'_>) -> Poll<F::Output> {
    if request(future, cx) { Poll::Pending } else { Poll::Ready(future.take()) }
}

/// Returns whether it has to wait.
#[inline]
fn request(future: &mut impl Request, cx: &Context<'_>) -> bool {
    scheduler::with(|scheduler| {
        let Some(own) = scheduler.polling.waker.get() else {
            return scheduler.request_outside(future, cx.waker());
        };
        let own = own.as_ptr().cast_const() == cx.waker().data();
        let pending = future.request(&Asking { scheduler, waker: (!own).then(|| cx.waker()) });
        if pending {
            scheduler.polling.awaits.set(scheduler.polling.awaits.get() + 1);
        }
        pending
    })
}

impl Scheduler {
    /// Whether the future that asks is polled by a task of ours.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.waker.get().is_some()
    }

    /// How many awaits of the running task are pending.
    pub(crate) fn awaits(&self) -> usize {
        self.polling.awaits.get()
    }

    /// A branch of the running task is left while it waits inside `context`. The context is not
    /// paused yet: if the task waits for nothing else, it stays inside.
    pub(crate) fn left_pending(&self, context: ContextId, awaits_before: usize) {
        let (awaits, inside) = (self.polling.awaits.get(), &self.polling.inside);
        if awaits_before == 0 && inside.get().is_none() && awaits > 0 {
            inside.set(Some((context, awaits)));
        }
    }

    /// A combinator with wakers of its own has asked for `on`. It may go on to be polled by
    /// another task, which will not ask again.
    #[cold]
    pub(crate) fn asked_by_foreign(&self, on: Dependency) {
        if !self.is_polling() {
            return self.hub.ask(on);
        }
        let mut foreign = self.foreign.borrow_mut();
        if foreign.len() == foreign.capacity() {
            let engine = self.engine();
            foreign.retain(|&on| !engine.is_computed(on));
        }
        foreign.push(on);
    }

    /// Before the thread sleeps, makes this call drive whatever foreign combinators wait for.
    pub(crate) fn need_foreign(&self) {
        let mut foreign = self.foreign.borrow_mut();
        let mut engine = self.engine();
        foreign.retain(|&on| !engine.is_computed(on));
        for &on in &*foreign {
            engine.need(on);
        }
    }
}
