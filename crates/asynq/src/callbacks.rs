//! Callbacks and wakers that run when something is computed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Callbacks of users and wakers of combinators, besides the tasks that the engine wakes.
///
/// Nearly every future has none, so this is one word until the first is added.
#[derive(Default)]
pub(crate) struct Callbacks(Cell<Option<Box<Lists>>>);

#[derive(Default)]
struct Lists {
    wakers: Vec<Waker>,
    callbacks: Vec<Box<dyn FnOnce()>>,
}

impl Callbacks {
    fn update(&self, update: impl FnOnce(&mut Lists)) {
        let mut lists = self.0.take().unwrap_or_default();
        update(&mut lists);
        self.0.set(Some(lists));
    }

    pub(crate) fn add_waker(&self, waker: &Waker) {
        self.update(|lists| {
            if !lists.wakers.iter().any(|known| known.will_wake(waker)) {
                lists.wakers.push(waker.clone());
            }
        });
    }

    pub(crate) fn add(&self, callback: impl FnOnce() + 'static) {
        self.update(|lists| lists.callbacks.push(Box::new(callback)));
    }

    /// Runs and removes all of them. A panic in one does not stop the others. No caller could
    /// handle it, so it is dropped after the panic hook has printed it.
    #[inline]
    pub(crate) fn run(&self) {
        if let Some(lists) = self.0.take() {
            Self::run_lists(*lists);
        }
    }

    #[cold]
    fn run_lists(lists: Lists) {
        for waker in lists.wakers {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
        for callback in lists.callbacks {
            drop(catch_unwind(AssertUnwindSafe(callback)));
        }
    }
}
