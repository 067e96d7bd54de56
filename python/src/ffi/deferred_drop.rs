//! Where references go whose owner dies.
//!
//! A task refers to the one that created it, and a blocked task to what it awaits: chains of a
//! million tasks. Were each reference given up inside the destructor of its owner, such a chain
//! would take a native stack frame per task. So the outermost destructor gives up all of them, one
//! after the other.

use std::cell::{Cell, RefCell};

use pyo3::prelude::*;

thread_local! {
    static BURIED: RefCell<Vec<Py<PyAny>>> = const { RefCell::new(Vec::new()) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Up to here destructors nest; it saves most objects the detour.
const MAX_DEPTH: u32 = 50;

#[allow(unsafe_code)]
fn is_shared<T>(reference: &Py<T>) -> bool {
    // SAFETY: a live object. If the number is out of date, a detour more or less is taken.
    unsafe { pyo3::ffi::Py_REFCNT(reference.as_ptr()) > 1 }
}

/// Gives up `reference`, now or when the destructors around have ended.
pub(crate) fn defer_drop<T>(reference: Option<Py<T>>) {
    let Some(reference) = reference else { return };
    if is_shared(&reference) {
        // Nothing dies by this.
        return;
    }
    // The thread may be ending, its locals gone.
    let Ok(depth) = DEPTH.try_with(Cell::get) else { return };
    if depth >= MAX_DEPTH {
        let _ = BURIED.try_with(|buried| buried.borrow_mut().push(reference.into_any()));
        return;
    }
    DEPTH.set(depth + 1);
    drop(reference);
    if depth == 0 {
        // With the lock on `BURIED` given back: what dies may defer_drop more.
        while let Some(reference) = BURIED.with(|buried| buried.borrow_mut().pop()) {
            drop(reference);
        }
    }
    DEPTH.set(depth);
}
