//! Who wants to know when something is computed, besides the tasks that the engine wakes.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakers of foreign combinators, and callbacks.
#[derive(Default)]
pub(crate) struct Listeners {
    wakers: Vec<Waker>,
    callbacks: Vec<Box<dyn FnOnce()>>,
}

impl Listeners {
    pub(crate) fn wake(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    pub(crate) fn call(&mut self, callback: impl FnOnce() + 'static) {
        self.callbacks.push(Box::new(callback));
    }

    /// Tells everybody. A panic in one callback or waker keeps it from no other; as there is
    /// nobody to receive it, it ends with the message that the panic hook has printed.
    pub(crate) fn announce(listeners: &RefCell<Self>) {
        let Self { wakers, callbacks } = listeners.take();
        for waker in wakers {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
        for callback in callbacks {
            drop(catch_unwind(AssertUnwindSafe(callback)));
        }
    }
}
