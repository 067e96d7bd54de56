//! The call of a batch function, as the loads inside it see it.
//!
//! # Note: calls that wait for each other
//!
//! A function may load. If it loads a key that it was called for, it would wait for itself; if it loads a key of
//! a call that waits for it, they would wait for each other. So each call notes which loads it waits for, and a
//! load inside a call follows these notes before it waits.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use asynq_loader::ClaimId;
use pin_project_lite::pin_project;

use super::id::EntryId;

thread_local! {
    /// Calls around the code that runs, the innermost last.
    static RUNNING: RefCell<Vec<Arc<Flight>>> = const { RefCell::new(Vec::new()) };
    /// Number of these calls.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

#[derive(Default)]
pub(super) struct Flight {
    waits: Mutex<Vec<(Weak<dyn Flights>, EntryId)>>,
}

/// Call or permits that a pending key waits for.
pub(super) enum Awaited {
    /// The call that it was sent with.
    Call(Arc<Flight>),
    /// The permits of a part that was not sent.
    Permit(ClaimId),
}

/// A loader, which knows the call for each of its keys.
pub(super) trait Flights: Send + Sync {
    /// Returns what a pending key waits for. One that was not sent, and waits for no permit, waits for other code.
    fn awaited_by(&self, entry: EntryId) -> Option<Awaited>;
    fn is_pending(&self, entry: EntryId) -> bool;
}

impl Flight {
    /// Returns whether the code that runs is part of the call.
    pub(super) fn is_around_this_code(self: &Arc<Self>) -> bool {
        RUNNING.with_borrow(|running| running.iter().any(|flight| Arc::ptr_eq(flight, self)))
    }

    /// Calls `f` inside the call.
    pub(super) fn run<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        struct Leave;

        impl Drop for Leave {
            fn drop(&mut self) {
                let ended = RUNNING.with_borrow_mut(Vec::pop);
                DEPTH.set(DEPTH.get() - 1);
                drop(ended);
            }
        }

        RUNNING.with_borrow_mut(|running| running.push(Arc::clone(self)));
        DEPTH.set(DEPTH.get() + 1);
        let _leave = Leave;
        f()
    }

    /// Returns whether this waits for `other`, directly or through others. Forgets the waits that have ended.
    fn waits_for(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let (mut next, mut seen) = (vec![Arc::clone(self)], Vec::<Arc<Self>>::new());
        while let Some(flight) = next.pop() {
            if Arc::ptr_eq(&flight, other) {
                return true;
            }
            if !seen.iter().any(|seen| Arc::ptr_eq(seen, &flight)) {
                next.extend(flight.awaited().into_iter().filter_map(|awaited| match awaited {
                    Awaited::Call(flight) => Some(flight),
                    Awaited::Permit(_) => None,
                }));
                seen.push(flight);
            }
        }
        false
    }

    /// Returns what the loads that this waits for wait for themselves.
    pub(super) fn awaited(&self) -> Vec<Awaited> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let awaited =
            |(loader, entry): &(Weak<dyn Flights>, EntryId)| loader.upgrade()?.awaited_by(*entry);
        waits.iter().filter_map(awaited).collect()
    }

    fn add_wait(&self, loader: &Weak<dyn Flights>, entry: EntryId) {
        let lock = || self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waits = mem::take(&mut *lock());
        if !waits.iter().any(|(other, id)| *id == entry && Weak::ptr_eq(other, loader)) {
            if waits.len() == waits.capacity() {
                waits.retain(|(loader, entry)| {
                    loader.upgrade().is_some_and(|loader| loader.is_pending(*entry))
                });
            }
            waits.push((Weak::clone(loader), entry));
        }
        *lock() = waits;
    }
}

/// Returns whether code of a batch function runs.
#[inline]
pub(super) fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// Returns whether a wait of the code that runs for a key would not end: the key was sent with a call that waits
/// for this code.
pub(super) fn would_wait_in_a_circle(flight: &Arc<Flight>) -> bool {
    let Some(own) = RUNNING.with_borrow(|running| running.last().cloned()) else { return false };
    flight.waits_for(&own)
}

/// Notes that the code that runs waits for a key.
pub(super) fn note_wait(loader: &Weak<dyn Flights>, entry: EntryId) {
    if let Some(own) = RUNNING.with_borrow(|running| running.last().cloned()) {
        own.add_wait(loader, entry);
    }
}

pin_project! {
    /// Future that is polled inside a call.
    pub(super) struct InFlight<F> {
        #[pin]
        future: F,
        flight: Arc<Flight>,
    }
}

impl<F> InFlight<F> {
    pub(super) fn new(flight: Arc<Flight>, future: F) -> Self {
        Self { future, flight }
    }
}

impl<F: Future> Future for InFlight<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.flight.run(|| this.future.poll(cx))
    }
}
