//! Deferred drop: giving up long chains of references without deep recursion.
//!
//! A task refers to the one that created it, and a blocked task to what it awaits: chains of a
//! million tasks. If each destructor gave up the next reference itself, such a chain would take a
//! native stack frame per task. So the outermost destructor gives up all of them, one after the other.

use std::cell::{Cell, RefCell};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::ffi::thread_exit;

thread_local! {
    static DEFERRED: RefCell<Vec<Py<PyAny>>> = const { RefCell::new(Vec::new()) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Depth up to which destructors nest, which saves most objects the detour.
const MAX_DEPTH: u32 = 50;

/// Returns whether an object may die by the loss of this reference, and others with it.
#[allow(unsafe_code)]
#[inline]
fn may_hold_a_chain<T>(reference: &Py<T>) -> bool {
    let object = reference.as_ptr();
    // SAFETY: a live object. If the number is out of date, a detour more or less is taken.
    unsafe { ffi::Py_REFCNT(object) == 1 && ffi::PyType_IS_GC(ffi::Py_TYPE(object)) != 0 }
}

/// Gives up `reference`, now or when the destructors around have ended. The token saves the question
/// whether this thread holds the GIL.
#[inline]
pub(crate) fn release<T>(py: Python<'_>, reference: Option<Py<T>>) {
    if let Some(reference) = reference {
        if may_hold_a_chain(&reference) {
            drop_chain(reference.into_any(), |reference| reference.drop_ref(py));
        } else {
            reference.drop_ref(py);
        }
    }
}

/// Gives up `reference` as [`release`] does, in a destructor, which has no token.
#[inline]
pub(crate) fn defer_drop<T>(reference: Option<Py<T>>) {
    if let Some(reference) = reference
        && may_hold_a_chain(&reference)
    {
        drop_chain(reference.into_any(), drop);
    }
}

#[inline(never)]
fn drop_chain(reference: Py<PyAny>, give_up: impl Fn(Py<PyAny>)) {
    thread_exit::protect();
    DEPTH.with(|depth| {
        if depth.get() >= MAX_DEPTH {
            // The thread may be ending, its locals gone.
            let _ = DEFERRED.try_with(|deferred| deferred.borrow_mut().push(reference));
            return;
        }
        depth.set(depth.get() + 1);
        give_up(reference);
        // Read again: a destructor may switch to another greenlet.
        if depth.get() == 1 {
            // The borrow ends before the drop, which may defer more.
            let next = || DEFERRED.try_with(|deferred| deferred.borrow_mut().pop()).ok().flatten();
            while let Some(reference) = next() {
                give_up(reference);
            }
        }
        depth.set(depth.get().saturating_sub(1));
    });
}
