//! `GilCell`: the mutable state of an object that Python shares.
//!
//! The cells of `pyo3` count borrows with atomic read-modify-writes. Those took a fifth of the time of a
//! synchronous call, and the garbage collector pays for them at every visit of every object. Under the
//! GIL, reading and writing a plain flag is enough. In a build for free-threaded interpreters the flag is
//! a lock, so that another thread waits for the moment.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::{PyClass, PyVisit};

use crate::ffi::cell_lock::CellLock;

/// Holds a value that one holder takes for a moment, and a header that nobody has to take.
///
/// The header (`H`) has the lock of the value, and can have small fields that fill the same word.
///
/// # Note: no Python code runs while a value is taken
///
/// Neither a call, nor the destructor of a value that is replaced, nor an allocation of a tracked
/// object (before Python 3.12 it may run the garbage collector, and that runs destructors). So a
/// replaced value is moved out and dropped after the guard, and new objects are made before it.
/// [`GilCell::take`] panics if this rule is broken; it is broken nowhere, whatever Python code does.
pub(crate) struct GilCell<T, H = CellLock> {
    header: H,
    value: UnsafeCell<T>,
}

/// Header of a [`GilCell`]: its lock, and small fields.
pub(crate) trait Header {
    /// Returns the lock of the value.
    ///
    /// It is locked while somebody has taken the value, and in memory of zeros: the object is tracked
    /// before its state is there, and on Python 3.11 the collector may run in between, for its `__dict__`.
    fn lock(&self) -> &CellLock;
}

impl Header for CellLock {
    #[inline]
    fn lock(&self) -> &CellLock {
        self
    }
}

// SAFETY: the header and the value are only reached through `take`, `take_in_traverse` and `header`,
// which need a proof that the calling thread holds the GIL, and through `get_mut`, which has the only
// reference. What `header` returns cannot be kept where the GIL is given up. A thread that loses the GIL
// while it holds a guard leaves the lock as it is: the next thread then gets no guard. In a build for
// free-threaded interpreters the lock is one between threads, and small fields are `Sync` by themselves.
#[allow(unsafe_code)]
#[cfg(not(Py_GIL_DISABLED))]
unsafe impl<T: Send, H: Send> Sync for GilCell<T, H> {}
// SAFETY: as above.
#[allow(unsafe_code)]
#[cfg(Py_GIL_DISABLED)]
unsafe impl<T: Send, H: Sync> Sync for GilCell<T, H> {}

impl<T> GilCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { header: CellLock::new(), value: UnsafeCell::new(value) }
    }
}

impl<T, H: Header> GilCell<T, H> {
    /// Makes a cell with a header.
    #[inline]
    pub(crate) const fn with_header(value: T, header: H) -> Self {
        Self { header, value: UnsafeCell::new(value) }
    }

    /// Returns the header.
    #[inline]
    pub(crate) fn header<'a>(&'a self, _py: Python<'a>) -> &'a H {
        &self.header
    }

    /// Takes the value for a moment.
    ///
    /// # Panics
    ///
    /// If it is taken already, which would be a bug in this crate.
    #[inline]
    pub(crate) fn take<'a>(&'a self, py: Python<'a>) -> CellGuard<'a, T> {
        let lock = self.header.lock();
        if !lock.lock(py) {
            taken_already();
        }
        CellGuard { lock, value: &self.value, gil: PhantomData }
    }

    /// Takes the value, unless it is taken: the garbage collector may run at any time. The visitor
    /// proves that the collector runs, and so that this thread holds the GIL.
    #[inline]
    pub(crate) fn take_in_traverse<'a>(&'a self, _visit: &PyVisit<'a>) -> Option<CellGuard<'a, T>> {
        let lock = self.header.lock();
        lock.try_lock().then(|| CellGuard { lock, value: &self.value, gil: PhantomData })
    }

    /// Returns the value through the only reference to the cell.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Returns the value of a cell that nobody else can reach.
    #[inline]
    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

#[cold]
#[inline(never)]
fn taken_already() -> ! {
    unreachable!("Python code ran while the state of an object was taken")
}

impl<T: Default> Default for GilCell<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// A value taken from its cell, until this is dropped. It stays in the thread that holds the GIL.
pub(crate) struct CellGuard<'a, T> {
    lock: &'a CellLock,
    value: &'a UnsafeCell<T>,
    gil: PhantomData<Python<'a>>,
}

impl<T> Deref for CellGuard<'_, T> {
    type Target = T;

    #[inline]
    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: a cell has one guard at a time, and the guard lends out its own lifetime.
        unsafe { &*self.value.get() }
    }
}

impl<T> DerefMut for CellGuard<'_, T> {
    #[inline]
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed mutably.
        unsafe { &mut *self.value.get() }
    }
}

impl<T> Drop for CellGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.unlock();
    }
}

/// A class whose objects keep their state in a cell.
pub(crate) trait HasState: PyClass<Frozen = True> + Sync {
    type State;
    type Header: Header;

    fn cell(&self) -> &GilCell<Self::State, Self::Header>;
}

/// Access to the state of an object.
pub(crate) trait TakeState<T: HasState> {
    /// Takes the state for a moment; see [`GilCell::take`].
    fn state(&self) -> CellGuard<'_, T::State>;

    /// Returns the header, which nobody has to take.
    fn header(&self) -> &T::Header;
}

impl<T: HasState> TakeState<T> for Bound<'_, T> {
    #[inline]
    fn state(&self) -> CellGuard<'_, T::State> {
        self.get().cell().take(self.py())
    }

    #[inline]
    fn header(&self) -> &T::Header {
        self.get().cell().header(self.py())
    }
}

/// Implements [`HasState`] for a class that is a tuple of its cell: `has_state!(AsyncContext: EnteredBy);`,
/// or with a header `has_state!(AsyncTask: Task, Flags);`
macro_rules! has_state {
    ($class:ty: $state:ty) => {
        $crate::ffi::gil_cell::has_state!($class: $state, $crate::ffi::cell_lock::CellLock);
    };
    ($class:ty: $state:ty, $header:ty) => {
        impl $crate::ffi::gil_cell::HasState for $class {
            type State = $state;
            type Header = $header;

            #[inline]
            fn cell(&self) -> &$crate::ffi::gil_cell::GilCell<$state, $header> {
                &self.0
            }
        }
    };
}

pub(crate) use has_state;
