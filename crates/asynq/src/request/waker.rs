//! The waker of a request, which knows whether the request was woken while it was polled.

use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

const IDLE: u8 = 0;
const POLLING: u8 = 1;
const WOKEN: u8 = 2;
/// As `IDLE`, but the code was polled with another waker since, which may be the one that is woken.
const PASSED: u8 = 3;

pub(super) struct RequestWaker {
    state: AtomicU8,
    /// Waker of the task that polls the request.
    task: Mutex<Waker>,
}

impl RequestWaker {
    /// Creates the waker of a request that has to be polled.
    pub(super) fn new() -> Arc<Self> {
        let task = Mutex::new(Waker::noop().clone());
        Arc::new(Self { state: AtomicU8::new(WOKEN), task })
    }

    /// Returns whether `waker` is this one.
    pub(super) fn is(&self, waker: &Waker) -> bool {
        waker.data() == ptr::from_ref(self).cast()
    }

    /// Begins a poll by the task of `waker`. Returns whether the request was woken since the last one.
    pub(super) fn begin(&self, waker: &Waker) -> bool {
        self.set_task(waker);
        matches!(self.state.swap(POLLING, Ordering::AcqRel), WOKEN | PASSED)
    }

    /// Notes that the code is polled with `waker` itself.
    pub(super) fn pass(&self, waker: &Waker) {
        self.set_task(waker);
        self.state.store(PASSED, Ordering::Release);
    }

    fn set_task(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.will_wake(waker) {
            task.clone_from(waker);
        }
    }

    /// Returns whether the request was woken since the poll has begun.
    pub(super) fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Lets the code be polled again within a poll.
    pub(super) fn begin_again(&self) {
        self.state.store(POLLING, Ordering::Release);
    }

    /// Ends a poll. Wakes the task if the request was woken meanwhile.
    pub(super) fn end(&self) {
        let ended = self.state.compare_exchange(POLLING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if ended.is_err() {
            self.wake_task();
        }
    }

    fn wake_task(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        task.wake();
    }
}

impl Wake for RequestWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if matches!(self.state.swap(WOKEN, Ordering::AcqRel), IDLE | PASSED) {
            self.wake_task();
        }
    }
}
