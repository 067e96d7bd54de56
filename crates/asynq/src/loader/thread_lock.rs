//! A lock that refuses the thread which holds it.
//!
//! # Note: code of users under the lock
//!
//! Keys are compared, and values cloned, while a loader is locked, which runs code of users. That code may call
//! the loader. A lock of the standard library would block its own thread for ever. This one says so, and the
//! call does without: a load is looked up when it is first awaited.

use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct ThreadLock<T> {
    value: Mutex<T>,
    /// Thread that holds the lock, or 0.
    holder: AtomicUsize,
}

pub(super) struct Locked<'a, T> {
    value: MutexGuard<'a, T>,
    holder: &'a AtomicUsize,
}

impl<T> ThreadLock<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), holder: AtomicUsize::new(0) }
    }

    /// Locks the value, or returns `None` if this thread holds the lock.
    #[inline(always)]
    pub(super) fn lock(&self) -> Option<Locked<'_, T>> {
        let thread = current_thread();
        // Only this thread writes its own number.
        if self.holder.load(Ordering::Relaxed) == thread {
            return None;
        }
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        self.holder.store(thread, Ordering::Relaxed);
        Some(Locked { value, holder: &self.holder })
    }
}

impl<T> Drop for Locked<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.holder.store(0, Ordering::Relaxed);
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Returns a number of the thread, which is not 0.
#[inline]
fn current_thread() -> usize {
    thread_local! {
        static PLACE: u8 = const { 0 };
    }
    PLACE.with(|place| ptr::from_ref(place).addr())
}
