//! The request that is being polled on this thread.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use asynq_loader::{Settle, SlotId};

use super::waker::RequestWaker;
use crate::nested_wakers::{NestedWakers, Next, is_of_join, may_be_of_executor, stack_depth};

/// The open round of a loader, as a request knows it.
pub(crate) trait Round: Send + Sync {
    /// Counts a turn of the executor. Returns whether the round has settled.
    fn turn(&self, count: &mut Settle) -> bool;
    /// Returns whether another thread has not woken all loads of rounds before. Then `waker` is woken later.
    fn watch_waking(&self, waker: &Waker) -> bool;
    /// Sends the round, if the request has asked for keys of it (`has_keys`), and resolves the cached keys for which
    /// it has asked.
    fn send(&self, has_keys: bool, cached: Vec<SlotId>);
    /// Wakes all loads of the loader.
    fn wake(&self);
}

/// A round that a request has touched since its last step.
pub(super) struct Touched {
    /// Id of the loader.
    loader: u64,
    round: Arc<dyn Round>,
    has_keys: bool,
    cached: Vec<SlotId>,
    count: Settle,
}

/// Rounds that a request has touched.
#[derive(Default)]
pub(super) struct TouchedRounds {
    open: Vec<Touched>,
    /// Rounds that were sent before these.
    sent: Vec<Arc<dyn Round>>,
}

impl TouchedRounds {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns whether another thread has not woken all loads of the rounds. It may have woken the request by the
    /// first of them, so that more of its code can run than the request knows. Then `waker` is woken later.
    pub(super) fn watch_waking(&self, waker: &Waker) -> bool {
        let open = self.open.iter().map(|touched| &touched.round);
        open.chain(&self.sent).any(|round| round.watch_waking(waker))
    }

    /// Wakes the loads of the rounds.
    pub(super) fn wake(&self) {
        let open = self.open.iter().map(|touched| &touched.round);
        open.chain(&self.sent).for_each(|round| round.wake());
    }

    /// Counts a turn of the executor. Sends the rounds that have settled.
    pub(super) fn turn(&mut self) {
        // The others wait for the same executor, and cached keys must not overtake them.
        let has_settled =
            |touched: &mut Touched| !touched.has_keys || touched.round.turn(&mut touched.count);
        if self.open.iter_mut().fold(true, |all, touched| has_settled(touched) & all) {
            self.sent.clear();
            for Touched { round, has_keys, cached, .. } in self.open.drain(..) {
                round.send(has_keys, cached);
                self.sent.push(round);
            }
        }
    }
}

/// Values that code of a request shares by ids: the caches of its loaders.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<u64, Arc<dyn Any + Send + Sync>>>);

impl Shelf {
    /// Returns the value of an id, which `make` makes if there is none.
    pub(crate) fn get<T: Send + Sync + 'static>(
        &self,
        id: u64,
        make: impl FnOnce() -> Arc<T>,
    ) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.entry(id).or_insert_with(|| make());
        let value = Arc::clone(value).downcast();
        value.unwrap_or_else(|_| unreachable!("the values of an id have one type"))
    }
}

struct Current {
    touched: TouchedRounds,
    shelf: Arc<Shelf>,
    waker: Arc<RequestWaker>,
    nested: Nested,
}

/// Wakers, besides its own, with which the code of a request polls loads.
#[derive(Default)]
pub(super) struct Nested {
    /// Number of polls of the request.
    polls: u64,
    /// Made when there is such a waker.
    wakers: Option<Box<NestedWakers<LoadId>>>,
}

/// A load: the id of its loader, and the number of its key there.
pub(crate) type LoadId = (u64, u64);

/// The parts of a request that its code uses while it is polled.
#[derive(Default)]
pub(super) struct State {
    pub(super) touched: TouchedRounds,
    pub(super) nested: Nested,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Calls `f` as code of a request.
pub(super) fn poll<R>(
    state: &mut State,
    shelf: &Arc<Shelf>,
    waker: &Arc<RequestWaker>,
    f: impl FnOnce() -> R,
) -> R {
    /// Restores the request around, also after a panic.
    struct Leave<'t> {
        outer: Option<Current>,
        state: &'t mut State,
    }

    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            let ended = CURRENT.replace(self.outer.take());
            let ended = ended.map(|Current { touched, nested, .. }| State { touched, nested });
            *self.state = ended.unwrap_or_default();
        }
    }

    let State { touched, mut nested } = mem::take(state);
    nested.polls += 1;
    let (shelf, waker) = (Arc::clone(shelf), Arc::clone(waker));
    let current = Current { touched, shelf, waker, nested };
    let _leave = Leave { outer: CURRENT.replace(Some(current)), state };
    f()
}

/// Returns whether code of a request runs.
#[inline]
pub(crate) fn is_active() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Returns whether `waker`, with which code outside of tasks is polled, may be one of an executor inside of the poll: see
/// `Note: wakers inside of a poll` in `nested_wakers`.
#[inline]
pub(crate) fn may_be_nested(waker: &Waker) -> bool {
    if is_of_join(waker) {
        return false;
    }
    let is_other = CURRENT.with_borrow(|current| Some(!current.as_ref()?.waker.is(waker)));
    is_other.unwrap_or_else(|| may_be_of_executor(waker))
}

/// Notes that code of a request has polled a load, which is pending, with a waker that is not its own. Returns whether an
/// executor inside of the request waits for it: see `Note: wakers inside of a poll` in `nested_wakers`.
#[cold]
#[inline(never)]
pub(crate) fn poll_nested(waker: &Waker, on: LoadId, has_ended: impl Fn(LoadId) -> bool) -> bool {
    let depth = stack_depth();
    let next = with_nested(|nested, polls| nested.poll((0, polls), waker, &[on], depth, has_ended));
    match next {
        None | Some(Next::Wait | Next::Moved) => false,
        Some(Next::Wake) => {
            let own = CURRENT.with_borrow(|current| Some(Arc::clone(&current.as_ref()?.waker)));
            let Some(own) = own else { return false };
            let was_woken = own.is_woken();
            waker.wake_by_ref();
            let is_passed_on = !was_woken && own.is_woken();
            with_nested(|nested, _| nested.woken(waker, depth, is_passed_on, was_woken));
            false
        }
        Some(Next::Drive(_)) => true,
    }
}

/// Returns whether the runtime of this thread goes on while an executor inside of the request runs: see
/// [`NestedWakers::runtime_goes_on`].
pub(crate) fn runtime_goes_on(waker: &Waker) -> Option<bool> {
    with_nested(|nested, _| nested.runtime_goes_on(waker)).unwrap_or(Some(true))
}

fn with_nested<R>(f: impl FnOnce(&mut NestedWakers<LoadId>, u64) -> R) -> Option<R> {
    CURRENT.with_borrow_mut(|current| {
        let Nested { polls, wakers } = &mut current.as_mut()?.nested;
        Some(f(wakers.get_or_insert_default(), *polls))
    })
}

/// Sends the rounds that the request has touched, as an executor inside of it waits for them.
pub(crate) fn send_touched() {
    /// Restores the request, also after a panic.
    struct Outside(Option<Current>);

    impl Drop for Outside {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }

    // The functions of the loaders are not code of the request.
    let mut outside = Outside(CURRENT.take());
    let touched = outside.0.as_mut().map(|current| mem::take(&mut current.touched));
    for Touched { round, has_keys, cached, .. } in touched.unwrap_or_default().open {
        round.send(has_keys, cached);
    }
}

/// Returns the values that the code of the request shares.
pub(crate) fn shelf() -> Option<Arc<Shelf>> {
    CURRENT.with_borrow(|current| Some(Arc::clone(&current.as_ref()?.shelf)))
}

/// Notes that the request waits for a key of a round, or for the `cached` one. Returns `false` outside of requests.
#[inline]
pub(crate) fn touch(
    loader: u64,
    cached: Option<SlotId>,
    round: impl FnOnce() -> Arc<dyn Round>,
) -> bool {
    CURRENT.with_borrow_mut(|current| {
        let Some(current) = current else { return false };
        let rounds = &mut current.touched.open;
        // Nearly always the last.
        let place = rounds.iter().rposition(|touched| touched.loader == loader);
        let place = place.unwrap_or_else(|| {
            let (cached, count) = (Vec::new(), Settle::default());
            rounds.push(Touched { loader, round: round(), has_keys: false, cached, count });
            rounds.len() - 1
        });
        let touched = &mut rounds[place];
        touched.has_keys |= cached.is_none();
        touched.cached.extend(cached);
        true
    })
}
