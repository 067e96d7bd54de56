//! `SmallCell`: a small field beside the lock of a [`GilCell`](crate::ffi::gil_cell::GilCell).

/// A value that the holder of the GIL reads and writes.
#[cfg(not(Py_GIL_DISABLED))]
pub(crate) use std::cell::Cell as SmallCell;

#[cfg(Py_GIL_DISABLED)]
pub(crate) use threads::SmallCell;

#[cfg(Py_GIL_DISABLED)]
mod threads {
    use std::mem;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// A value that one thread at a time reads or writes.
    pub(crate) struct SmallCell<T>(Mutex<T>);

    impl<T> SmallCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn set(&self, value: T) {
            *self.lock() = value;
        }

        pub(crate) fn replace(&self, value: T) -> T {
            mem::replace(&mut self.lock(), value)
        }

        /// Locks for a moment in which nothing can panic and no Python code runs.
        fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T: Copy> SmallCell<T> {
        pub(crate) fn get(&self) -> T {
            *self.lock()
        }
    }
}
