//! Loom's primitives under the names that `waker.rs` uses.
//!
//! Parking is built from a mutex and a condition variable: loom's own `unpark` also wakes a thread that
//! waits for something else, which it then reports as an error.

use std::cell::RefCell;
use std::sync::Arc;

use loom::sync::Condvar;
pub(super) use loom::sync::Mutex;
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
// Only of interest to the thread that writes it, which is no model's subject.
pub(super) use std::sync::atomic::AtomicUsize;

loom::thread_local! {
    static CURRENT: RefCell<Thread> = RefCell::new(Thread::new());
}

/// Handle to a thread that can park.
#[derive(Clone)]
pub(super) struct Thread(Arc<Parker>);

struct Parker {
    token: Mutex<bool>,
    changed: Condvar,
}

impl Thread {
    fn new() -> Self {
        Self(Arc::new(Parker { token: Mutex::new(false), changed: Condvar::new() }))
    }

    pub(super) fn unpark(&self) {
        *self.0.token.lock().unwrap() = true;
        self.0.changed.notify_one();
    }
}

pub(super) fn current() -> Thread {
    CURRENT.with(|thread| thread.borrow().clone())
}

/// Returns whether `thread` is the one that runs.
pub(super) fn is_current(thread: &Thread) -> bool {
    Arc::ptr_eq(&current().0, &thread.0)
}

/// Waits for a token of `unpark`, and consumes it.
pub(super) fn park() {
    let Thread(parker) = current();
    let mut token = parker.token.lock().unwrap();
    while !*token {
        token = parker.changed.wait(token).unwrap();
    }
    *token = false;
}
