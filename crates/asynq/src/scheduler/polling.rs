//! The requests of the poll that is in progress.

use std::cell::Cell;
use std::ptr::NonNull;
use std::task::Waker;

use asynq_engine::ContextId;

/// The requests that the task which is being polled has made so far.
#[derive(Default)]
pub(super) struct Polling {
    /// Number of pending awaits: one for `t.await` and `all(..)`, several for `join!`.
    awaits: Cell<usize>,
    /// Context of the first pending await, if its branch was left with nothing pending outside; and
    /// the number of awaits that were pending then.
    inside: Cell<Option<(ContextId, usize)>>,
    /// A branch has begun to wait inside a context that is still active, and others may run.
    astray: Cell<bool>,
    /// Address of the task's own waker. A poll with another waker comes from a combinator, which
    /// has to be told which of its futures is ready.
    waker: Cell<Option<NonNull<()>>>,
    /// Number of the poll, once a future in it was pending that was polled with another waker; or 0.
    number: Cell<u64>,
}

impl Polling {
    /// Begins a poll with `waker`.
    #[inline]
    pub(super) fn begin(&self, waker: &Waker) {
        self.awaits.set(0);
        self.inside.set(None);
        self.astray.set(false);
        self.number.set(0);
        self.waker.set(NonNull::new(waker.data().cast_mut()));
    }

    #[inline]
    pub(super) fn end(&self) {
        self.astray.set(false);
        self.waker.set(None);
    }

    /// Puts the poll that is in progress aside, if there is one, while a call inside it polls others.
    #[inline]
    pub(super) fn suspend(&self) -> Option<Self> {
        self.is_active().then(|| self.suspend_active())
    }

    fn suspend_active(&self) -> Self {
        Self {
            awaits: self.awaits.take().into(),
            inside: self.inside.take().into(),
            astray: self.astray.take().into(),
            waker: self.waker.take().into(),
            number: self.number.take().into(),
        }
    }

    /// Goes back to what [`suspend`](Self::suspend) has put aside.
    #[inline]
    pub(super) fn resume(&self, suspended: Option<&Self>) {
        match suspended {
            Some(suspended) => self.resume_active(suspended),
            None => self.end(),
        }
    }

    fn resume_active(&self, suspended: &Self) {
        self.awaits.set(suspended.awaits.get());
        self.inside.set(suspended.inside.get());
        self.astray.set(suspended.astray.get());
        self.waker.set(suspended.waker.get());
        self.number.set(suspended.number.get());
    }

    /// Returns whether a task of this crate is being polled.
    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.waker.get().is_some()
    }

    /// Returns whether `waker` is the task's own, or `None` outside of polls.
    #[inline]
    pub(super) fn is_own(&self, waker: &Waker) -> Option<bool> {
        self.waker.get().map(|own| own.as_ptr().cast_const() == waker.data())
    }

    /// Returns the address of the own waker of the task that is being polled.
    pub(super) fn own_waker(&self) -> Option<NonNull<()>> {
        self.waker.get()
    }

    /// Returns the number of the poll. It is `next` if the poll has none yet.
    pub(super) fn number(&self, next: impl FnOnce() -> u64) -> u64 {
        if self.number.get() == 0 {
            self.number.set(next());
        }
        self.number.get()
    }

    /// Returns whether the active contexts are those of a branch that has begun to wait.
    #[inline]
    pub(super) fn is_astray(&self) -> bool {
        self.astray.get()
    }

    pub(super) fn set_astray(&self, astray: bool) {
        self.astray.set(astray);
    }

    #[inline]
    pub(super) fn awaits(&self) -> usize {
        self.awaits.get()
    }

    #[inline]
    pub(super) fn count_await(&self) {
        self.awaits.set(self.awaits.get() + 1);
    }

    /// Notes that a branch which began with `awaits_before` pending awaits waits inside `context`.
    pub(super) fn leave_pending(&self, context: ContextId, awaits_before: usize) {
        self.astray.set(true);
        let awaits = self.awaits.get();
        if awaits_before == 0 && self.inside.get().is_none() && awaits > 0 {
            self.inside.set(Some((context, awaits)));
        }
    }

    /// Returns the context that all pending awaits are inside, if there is one.
    #[inline]
    pub(super) fn scope(&self) -> Option<ContextId> {
        let (context, awaits) = self.inside.get()?;
        (awaits == self.awaits.get()).then_some(context)
    }
}
