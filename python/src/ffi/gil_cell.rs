//! The mutable state inside an object that Python shares.
//!
//! The cells of `pyo3` count borrows with atomic read-modify-writes. Those were a fifth of the time of
//! a synchronous call, and the garbage collector pays for them at every visit of every object. Under
//! the GIL a flag that is read and written does.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

/// Holds a value that is taken for a moment, during which no Python code runs: neither calls nor
/// the destructors of what is replaced.
pub(crate) struct GilCell<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `take` gives the value to one holder at a time. Where there is a GIL, every thread that
// takes holds it, so that reading the flag and then writing it is one step. Where there is none, it
// is one atomic operation.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Takes the value for a moment.
    ///
    /// # Panics
    ///
    /// If it is taken in this thread already, which no user can bring about.
    #[inline]
    pub(crate) fn take(&self) -> CellGuard<'_, T> {
        self.try_take().unwrap_or_else(|| self.wait())
    }

    /// Takes the value unless it is taken: the garbage collector must not wait.
    #[inline]
    pub(crate) fn try_take(&self) -> Option<CellGuard<'_, T>> {
        let was_taken = if cfg!(Py_GIL_DISABLED) {
            self.taken.swap(true, Ordering::Acquire)
        } else {
            let was_taken = self.taken.load(Ordering::Relaxed);
            self.taken.store(true, Ordering::Relaxed);
            was_taken
        };
        (!was_taken).then(|| CellGuard { cell: self })
    }

    #[cold]
    fn wait(&self) -> CellGuard<'_, T> {
        while cfg!(Py_GIL_DISABLED) {
            std::hint::spin_loop();
            if let Some(taken) = self.try_take() {
                return taken;
            }
        }
        unreachable!("Python code ran while the state of an object was taken")
    }

    /// The value, which nobody else can have.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for GilCell<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// A value taken from its cell, until this is dropped.
pub(crate) struct CellGuard<'a, T> {
    cell: &'a GilCell<T>,
}

impl<T> Deref for CellGuard<'_, T> {
    type Target = T;

    #[inline]
    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: there is one `CellGuard` of a cell at a time, and it lends out its own lifetime.
        unsafe { &*self.cell.value.get() }
    }
}

impl<T> DerefMut for CellGuard<'_, T> {
    #[inline]
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and it is borrowed mutably.
        unsafe { &mut *self.cell.value.get() }
    }
}

impl<T> Drop for CellGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.taken.store(false, Ordering::Release);
    }
}
