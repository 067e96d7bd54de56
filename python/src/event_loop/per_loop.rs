//! A value for each event loop of a thread.
//!
//! # Note: programs without event loops
//!
//! They must not pay. Until the first value is added in the process, a look-up costs the load of a flag.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::scheduler::greenlets;

/// Set when a value was added for an event loop.
static USED: AtomicBool = AtomicBool::new(false);

/// Returns whether any thread has, or had, a value for an event loop.
#[inline]
pub(crate) fn are_used() -> bool {
    USED.load(Ordering::Relaxed)
}

/// A value for each event loop that uses it, in the thread of the loop.
pub(crate) struct PerLoop<T> {
    entries: RefCell<Vec<Entry<T>>>,
    /// Values of the loops that are driven now, the innermost last, with the address of the greenlet.
    driven: RefCell<Vec<(usize, Rc<T>)>>,
}

struct Entry<T> {
    id: u32,
    address: usize,
    event_loop: Py<PyWeakrefReference>,
    value: Rc<T>,
}

impl<T> PerLoop<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: RefCell::new(Vec::new()), driven: RefCell::new(Vec::new()) }
    }

    /// Returns whether no event loop of this thread has a value.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// Returns the value of an event loop.
    pub(crate) fn of(&self, event_loop: &Bound<'_, PyAny>) -> Option<Rc<T>> {
        let entries = self.entries.borrow();
        let address = event_loop.as_ptr() as usize;
        let entry = entries.iter().find(|entry| entry.address == address)?;
        // It may be that of a dead one with the same address.
        let known = entry.event_loop.bind(event_loop.py()).upgrade();
        known.filter(|known| known.is(event_loop)).map(|_| Rc::clone(&entry.value))
    }

    /// Returns the value that was added with this id.
    pub(crate) fn with_id(&self, id: u32) -> Option<Rc<T>> {
        let entries = self.entries.borrow();
        entries.iter().find(|entry| entry.id == id).map(|entry| Rc::clone(&entry.value))
    }

    /// Adds the value of an event loop, to which this is a weak reference.
    pub(crate) fn add(
        &self,
        event_loop: &Bound<'_, PyAny>,
        reference: Py<PyWeakrefReference>,
        id: u32,
        value: Rc<T>,
    ) {
        USED.store(true, Ordering::Relaxed);
        let address = event_loop.as_ptr() as usize;
        let entry = Entry { id, address, event_loop: reference, value };
        let mut entries = self.entries.borrow_mut();
        let dead: Vec<_> = entries.extract_if(.., |entry| entry.address == address).collect();
        entries.push(entry);
        drop(entries);
        drop(dead);
    }

    /// Removes the value that was added with this id.
    pub(crate) fn remove(&self, id: u32) -> Option<Rc<T>> {
        let mut entries = self.entries.borrow_mut();
        let index = entries.iter().position(|entry| entry.id == id)?;
        let Entry { event_loop, value, .. } = entries.swap_remove(index);
        drop(entries);
        drop(event_loop);
        Some(value)
    }

    /// Returns the value of the loop whose callback runs now, in this greenlet.
    #[inline]
    pub(crate) fn driven(&self, py: Python<'_>) -> Option<Rc<T>> {
        let driven = self.driven.borrow();
        let (greenlet, value) = driven.last()?;
        (!greenlets::are_loaded() || *greenlet == greenlet_address(py)).then(|| Rc::clone(value))
    }

    /// Notes that a loop is driven.
    pub(crate) fn begin_drive(&self, py: Python<'_>, value: Rc<T>) {
        self.driven.borrow_mut().push((greenlet_address(py), value));
    }

    /// Notes that the drive has ended that began last.
    pub(crate) fn end_drive(&self) {
        let value = self.driven.borrow_mut().pop();
        drop(value);
    }
}

/// Returns the address of the current greenlet, 0 in the main one of the thread.
fn greenlet_address(py: Python<'_>) -> usize {
    if !greenlets::are_loaded() {
        return 0;
    }
    let greenlet = greenlets::current(py).ok().flatten();
    greenlet.map_or(0, |greenlet| greenlet.as_ptr() as usize)
}
