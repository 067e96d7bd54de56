//! Who wants to know when something is computed, besides the tasks that the engine wakes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakers of foreign combinators, and callbacks. Nearly everything has none, so that this is one
/// word until the first comes.
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

    pub(crate) fn wake(&self, waker: &Waker) {
        self.update(|lists| {
            if !lists.wakers.iter().any(|known| known.will_wake(waker)) {
                lists.wakers.push(waker.clone());
            }
        });
    }

    pub(crate) fn call(&self, callback: impl FnOnce() + 'static) {
        self.update(|lists| lists.callbacks.push(Box::new(callback)));
    }

    /// Tells everybody. A panic in one callback or waker keeps it from no other; as there is
    /// nobody to receive it, it ends with the message that the panic hook has printed.
    #[inline]
    pub(crate) fn announce(&self) {
        if let Some(lists) = self.0.take() {
            Self::tell(*lists);
        }
    }

    #[cold]
    fn tell(lists: Lists) {
        for waker in lists.wakers {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
        for callback in lists.callbacks {
            drop(catch_unwind(AssertUnwindSafe(callback)));
        }
    }
}
