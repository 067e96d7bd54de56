//! Greenlets: several call stacks in one thread, by the package `greenlet`, which gevent and `SQLAlchemy` use.
//!
//! Any code of a user may switch to another greenlet: a flush, the body of a task, a context, an
//! `__eq__`. So the state of running calls belongs to a greenlet, and the main greenlet of a thread
//! has the state of the thread.
//!
//! # Note: programs without greenlets
//!
//! They must not pay. `asynq._greenlets` calls [`set_greenlets_loaded`] before the package is loaded,
//! and until then there is one call stack in each thread. Each look-up costs the load of a flag.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyWeakrefReference};

use crate::ffi::interpreter;

/// Set when the package `greenlet` is loaded, or is about to be.
static LOADED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Address of the main greenlet of this thread, which lives as long as the thread.
    static MAIN: Cell<usize> = const { Cell::new(0) };
}

/// Records that the package `greenlet` is loaded, or is about to be.
#[pyfunction]
pub(crate) fn set_greenlets_loaded() {
    LOADED.store(true, Ordering::Relaxed);
}

/// The current greenlet; `None` in the main greenlet of a thread.
#[pyfunction]
pub(crate) fn current_greenlet(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    if are_loaded() { current(py) } else { Ok(None) }
}

/// Returns whether there may be more than one call stack in a thread.
#[inline]
pub(crate) fn are_loaded() -> bool {
    LOADED.load(Ordering::Relaxed)
}

/// Returns the current greenlet, unless it is the main one of its thread.
///
/// # Errors
///
/// The errors of the package.
#[cold]
pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Some(getcurrent) = getcurrent(py)? else { return Ok(None) };
    let greenlet = getcurrent.call0()?;
    let address = greenlet.as_ptr() as usize;
    if address == MAIN.get() {
        return Ok(None);
    }
    if greenlet.getattr(intern!(py, "parent"))?.is_none() {
        MAIN.set(address);
        return Ok(None);
    }
    Ok(Some(greenlet))
}

/// Returns `greenlet.getcurrent`, or `None` while the package is still being loaded.
fn getcurrent(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyAny>>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Some(function) = FUNCTION.get(py) {
        return Ok(Some(function.bind(py)));
    }
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    let Some(module) = modules.get_item("greenlet")? else { return Ok(None) };
    let Some(function) = module.getattr_opt("getcurrent")? else { return Ok(None) };
    Ok(Some(FUNCTION.get_or_init(py, || function.unbind()).bind(py)))
}

/// A value for each greenlet of a thread that uses it. It goes when the greenlet does.
pub(crate) struct PerGreenlet<T> {
    of_main: OnceCell<Rc<T>>,
    /// By the addresses of the greenlets.
    of_others: RefCell<BTreeMap<usize, Entry<T>>>,
    /// Addresses by the ids of the values.
    addresses: RefCell<BTreeMap<u32, usize>>,
    /// Number of values that were added since those of dead greenlets were last removed.
    added: Cell<usize>,
}

/// The thread ends. A greenlet that is still alive may be suspended in a function of this module, and
/// then `pyo3` believes that the thread holds the GIL and drops Python objects at once. So the values
/// are leaked, as their greenlets are.
impl<T> Drop for PerGreenlet<T> {
    fn drop(&mut self) {
        let of_others = self.of_others.take();
        if !of_others.is_empty() || (are_loaded() && !interpreter::is_running()) {
            mem::forget(of_others);
            mem::forget(self.of_main.take());
        }
    }
}

struct Entry<T> {
    id: u32,
    greenlet: Py<PyWeakrefReference>,
    value: Rc<T>,
}

impl<T> PerGreenlet<T> {
    pub(crate) const fn new() -> Self {
        Self {
            of_main: OnceCell::new(),
            of_others: RefCell::new(BTreeMap::new()),
            addresses: RefCell::new(BTreeMap::new()),
            added: Cell::new(0),
        }
    }

    /// Returns the value of the main greenlet.
    #[inline]
    pub(crate) fn of_main(&self) -> &OnceCell<Rc<T>> {
        &self.of_main
    }

    /// Returns the value of a greenlet that is not the main one.
    pub(crate) fn of(&self, greenlet: &Bound<'_, PyAny>) -> Option<Rc<T>> {
        let of_others = self.of_others.borrow();
        let entry = of_others.get(&(greenlet.as_ptr() as usize))?;
        // It may be that of a dead one with the same address.
        let known = entry.greenlet.bind(greenlet.py()).upgrade();
        known.filter(|known| known.is(greenlet)).map(|_| Rc::clone(&entry.value))
    }

    /// Returns the value of a greenlet that is not the main one, which was added with this id.
    pub(crate) fn with_id(&self, id: u32) -> Option<Rc<T>> {
        let address = self.addresses.borrow().get(&id).copied()?;
        self.of_others.borrow().get(&address).map(|entry| Rc::clone(&entry.value))
    }

    /// Adds a value for the greenlet of this weak reference, which is at this address.
    pub(crate) fn add(
        &self,
        greenlet: &Bound<'_, PyWeakrefReference>,
        address: usize,
        id: u32,
        value: Rc<T>,
    ) {
        self.remove_dead(greenlet.py());
        let entry = Entry { id, greenlet: greenlet.clone().unbind(), value };
        let before = self.of_others.borrow_mut().insert(address, entry);
        if let Some(before) = &before {
            self.addresses.borrow_mut().remove(&before.id);
        }
        self.addresses.borrow_mut().insert(id, address);
        drop(before);
    }

    /// Removes the value that was added with this weak reference.
    pub(crate) fn remove(&self, greenlet: &Bound<'_, PyAny>, address: usize) {
        let is_here = |entry: &Entry<T>| entry.greenlet.is(greenlet);
        if !self.of_others.borrow().get(&address).is_some_and(is_here) {
            return;
        }
        let before = self.of_others.borrow_mut().remove(&address);
        if let Some(before) = &before {
            self.addresses.borrow_mut().remove(&before.id);
        }
        drop(before);
    }

    /// Removes the values of greenlets that were freed in another thread: nobody says so here.
    fn remove_dead(&self, py: Python<'_>) {
        let added = self.added.get() + 1;
        self.added.set(added);
        if added <= self.of_others.borrow().len() {
            return;
        }
        self.added.set(0);
        let is_dead = |entry: &Entry<T>| entry.greenlet.bind(py).upgrade().is_none();
        let dead: Vec<_> = {
            let mut of_others = self.of_others.borrow_mut();
            let dead = of_others.iter().filter(|(_, entry)| is_dead(entry)).map(|(&at, _)| at);
            let dead: Vec<_> = dead.collect();
            dead.into_iter().filter_map(|address| of_others.remove(&address)).collect()
        };
        let mut addresses = self.addresses.borrow_mut();
        for entry in &dead {
            addresses.remove(&entry.id);
        }
        drop(addresses);
        drop(dead);
    }
}
