//! The request that is being polled on this thread.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use asynq_loader::{Settle, SlotId};

/// The open round of a loader, as a request knows it.
pub(crate) trait Round: Send + Sync {
    /// Counts a turn of the executor. Returns whether the round has settled.
    fn turn(&self, count: &mut Settle) -> bool;
    /// Sends the round, if the request has asked for keys of it (`has_keys`), and resolves the cached keys for which
    /// it has asked.
    fn send(self: Arc<Self>, has_keys: bool, cached: Vec<SlotId>);
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
pub(super) struct TouchedRounds(Vec<Touched>);

impl TouchedRounds {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts a turn of the executor. Sends the rounds that have settled.
    pub(super) fn turn(&mut self) {
        // The others wait for the same executor, and cached keys must not overtake them.
        let has_settled =
            |touched: &mut Touched| !touched.has_keys || touched.round.turn(&mut touched.count);
        if self.0.iter_mut().fold(true, |all, touched| has_settled(touched) & all) {
            for Touched { round, has_keys, cached, .. } in self.0.drain(..) {
                round.send(has_keys, cached);
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
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Calls `f` as code of a request.
pub(super) fn poll<R>(touched: &mut TouchedRounds, shelf: &Arc<Shelf>, f: impl FnOnce() -> R) -> R {
    /// Restores the request around, also after a panic.
    struct Leave<'t> {
        outer: Option<Current>,
        touched: &'t mut TouchedRounds,
    }

    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            let ended = CURRENT.replace(self.outer.take());
            *self.touched = ended.map(|current| current.touched).unwrap_or_default();
        }
    }

    let current = Current { touched: mem::take(touched), shelf: Arc::clone(shelf) };
    let _leave = Leave { outer: CURRENT.replace(Some(current)), touched };
    f()
}

/// Returns whether code of a request runs.
#[inline]
pub(crate) fn is_active() -> bool {
    CURRENT.with_borrow(Option::is_some)
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
        let rounds = &mut current.touched.0;
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
