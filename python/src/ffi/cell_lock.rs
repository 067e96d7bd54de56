//! The flag of a [`GilCell`](crate::ffi::gil_cell::GilCell), which tells whether its value is taken.

#[cfg(not(Py_GIL_DISABLED))]
pub(crate) use gil::CellLock;
#[cfg(Py_GIL_DISABLED)]
pub(crate) use threads::CellLock;

#[cfg(not(Py_GIL_DISABLED))]
mod gil {
    use std::cell::Cell;

    use pyo3::prelude::*;

    /// A flag that only the holder of the GIL reads and writes: true while nobody has taken the value.
    pub(crate) struct CellLock(Cell<bool>);

    impl CellLock {
        pub(crate) const fn new() -> Self {
            Self(Cell::new(true))
        }

        /// Locks. Returns `false` if it is locked already, or is memory of zeros.
        #[inline]
        pub(crate) fn lock(&self, _py: Python<'_>) -> bool {
            self.try_lock()
        }

        /// Locks, without waiting. Returns `false` if it is locked already, or is memory of zeros.
        #[inline]
        pub(crate) fn try_lock(&self) -> bool {
            self.0.replace(false)
        }

        /// Unlocks; only for the code that has locked.
        #[inline]
        pub(crate) fn unlock(&self) {
            self.0.set(true);
        }
    }
}

#[cfg(Py_GIL_DISABLED)]
mod threads {
    use std::hint;
    use std::ptr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use pyo3::prelude::*;

    /// The thread that has taken the value, by its [`this_thread`]; [`FREE`], or 0 in memory of zeros.
    pub(crate) struct CellLock(AtomicUsize);

    /// Stands for no thread. Numbers of threads are even.
    const FREE: usize = 1;

    /// Number of looks at a lock before this thread lets others run.
    const SPINS: u32 = 100;

    /// Returns a number that no other thread has at the same time.
    #[inline]
    fn this_thread() -> usize {
        thread_local!(static MARK: u64 = const { 0 });
        MARK.with(|mark| ptr::from_ref(mark).addr())
    }

    impl CellLock {
        pub(crate) const fn new() -> Self {
            Self(AtomicUsize::new(FREE))
        }

        /// Locks, once no other thread has. Returns `false` if this thread has, or it is memory of zeros.
        ///
        /// A thread that waits for long is detached from the interpreter meanwhile: the holder may be waiting
        /// for the locks of a list that this thread has, or for it to halt for the garbage collector.
        #[inline]
        pub(crate) fn lock(&self, py: Python<'_>) -> bool {
            let thread = this_thread();
            let mut spins = 0;
            loop {
                match self.0.compare_exchange(FREE, thread, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return true,
                    Err(holder) if holder == thread || holder == 0 => return false,
                    Err(_) if spins < SPINS => {
                        spins += 1;
                        hint::spin_loop();
                    }
                    Err(_) => py.detach(thread::yield_now),
                }
            }
        }

        /// Locks, without waiting. Returns `false` if it is locked already, or is memory of zeros.
        #[inline]
        pub(crate) fn try_lock(&self) -> bool {
            let thread = this_thread();
            self.0.compare_exchange(FREE, thread, Ordering::Acquire, Ordering::Relaxed).is_ok()
        }

        /// Unlocks; only for the code that has locked.
        #[inline]
        pub(crate) fn unlock(&self) {
            self.0.store(FREE, Ordering::Release);
        }
    }
}
