//! Calls that are polled in place: inside of the poll of the task, or of another executor, that awaits them.
//!
//! # Note: calls in place
//!
//! A call that is awaited directly is a part of the task that awaits it, which waits for the same things, and
//! is polled through. So it costs neither a node in the engine nor an allocation. It becomes a task of its own if
//! somebody could notice the difference:
//!
//! - something is pending already in this poll, or was asked for: the engine orders the branches of a `join!`;
//! - the poll has the waker of a combinator, which polls only what was woken;
//! - calls are nested deeply, and would take too much native stack;
//! - somebody listens to the events of tasks, or records them.
//!
//! Outside of tasks there is nothing to order, and the future may go on in another thread. So such calls are always
//! polled in place.

use std::any::Any;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use super::calls_in_place::InPlace;
use super::state::Scheduler;
use crate::call_stack::{AsynqStack, CallInPlace, Creator, Origin, Site};
use crate::error::TaskError;
use crate::recording;

/// Number of calls that are polled in place inside of each other.
const MAX_DEPTH: usize = 16;

impl Scheduler {
    /// Begins to poll a call in place that was not polled before, unless it has to become a task. Returns whether it
    /// has begun.
    #[inline]
    pub(crate) fn try_begin_in_place(
        &self,
        waker: &Waker,
        site: &'static Site,
        at: &'static Location<'static>,
    ) -> bool {
        let can_begin = self.polling.is_own(waker).is_none_or(|is_own| {
            is_own
                && self.polling.awaits() == 0
                && self.in_place.depth() < MAX_DEPTH
                && !self.event_listeners.is_present()
                && !recording::is_on()
        });
        if can_begin {
            self.begin_in_place(site, at);
        }
        can_begin
    }

    /// Begins to poll a call in place. Returns its index among those that are.
    #[inline]
    pub(crate) fn begin_in_place(
        &self,
        site: &'static Site,
        at: &'static Location<'static>,
    ) -> usize {
        let caller = self.creator.take();
        self.in_place.push(InPlace { site, at, caller })
    }

    /// Makes the call at `index` one that is not polled in place. The calls inside it are parts of it from now on.
    /// Returns its origin.
    pub(super) fn take_out_of_place(&self, index: usize) -> Origin {
        let creator = self.creator_before(index);
        let InPlace { site, at, caller } = self.in_place.remove(index);
        self.in_place.outer.set(index);
        Origin { site, at, creator: caller.or(creator) }
    }

    /// Ends what the last [`begin_in_place`](Self::begin_in_place) began. The call may still wait.
    #[inline]
    pub(crate) fn end_in_place(&self, waits: bool) {
        let Some(InPlace { site, at, caller }) = self.in_place.pop() else { return };
        self.creator.set(caller);
        if waits && self.polling.is_active() {
            let is_outermost = self.in_place.depth() == 0;
            self.in_place.push_waiting(CallInPlace { site, at, is_outermost });
        }
    }

    /// Returns whether the code that runs now is part of a call that is polled in place.
    pub(crate) fn is_in_place(&self) -> bool {
        self.in_place.depth() > 0
    }

    /// Returns the innermost call in place as a creator, or else the task that runs now.
    fn current_creator(&self) -> Option<Rc<Creator>> {
        self.creator_before(self.in_place.len.get())
    }

    /// Returns the call in place around the one at `index` as a creator, or else the task that runs now.
    fn creator_before(&self, index: usize) -> Option<Rc<Creator>> {
        if index == 0 && !self.is_polling() {
            return None;
        }
        let mut creator = self.running().map(|task| task.as_creator());
        let mut calls = self.in_place.calls.borrow_mut();
        for call in &mut calls[self.in_place.outer.get()..index] {
            let caller = call.caller.take().or(creator);
            call.caller.clone_from(&caller);
            creator = Some(Creator::new(Origin { site: call.site, at: call.at, creator: caller }));
        }
        creator
    }

    /// Returns the creator that a task which is created now gets.
    #[inline]
    pub(crate) fn creator(&self) -> Option<Rc<Creator>> {
        let creator = self.creator.take().or_else(|| self.current_creator());
        self.creator.set(creator.clone());
        creator
    }

    /// Returns the asynq stack of the running task and its calls in place or, in a flush, of the call that
    /// flushes.
    pub(crate) fn stack(&self) -> Option<AsynqStack> {
        if self.is_in_place() {
            return self.current_creator().map(|creator| creator.stack());
        }
        let called = || {
            let called = self.current_call()?;
            self.engine().task(called).cloned()
        };
        self.running().or_else(called).map(|task| task.stack())
    }

    /// Returns the failure of a call whose body has panicked.
    #[cold]
    pub(crate) fn failure(&self, payload: Box<dyn Any + Send>) -> TaskError {
        TaskError::from_panic(payload, || self.stack().unwrap_or_default())
    }
}
