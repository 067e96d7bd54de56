//! Event loops whose threads wait in a synchronous call: their coroutines do not go on meanwhile.

use pyo3::prelude::*;

use crate::ffi::gil_cell::GilCell;

/// The addresses of the event loops, which live as long as they run.
static BLOCKED: GilCell<Vec<usize>> = GilCell::new(Vec::new());

fn address(event_loop: &Bound<'_, PyAny>) -> usize {
    event_loop.as_ptr() as usize
}

/// Blocks an event loop until it is dropped.
pub(crate) struct Block<'py>(Bound<'py, PyAny>);

impl<'py> Block<'py> {
    pub(crate) fn new(event_loop: Bound<'py, PyAny>) -> Self {
        BLOCKED.take(event_loop.py()).push(address(&event_loop));
        Self(event_loop)
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        let mut blocked = BLOCKED.take(self.0.py());
        let index = blocked.iter().rposition(|&other| other == address(&self.0));
        index.map(|index| blocked.swap_remove(index));
    }
}

/// Returns whether the thread of an event loop waits in a synchronous call.
pub(crate) fn contains(event_loop: &Bound<'_, PyAny>) -> bool {
    BLOCKED.take(event_loop.py()).contains(&address(event_loop))
}

/// Returns whether the thread of an event loop waits in a synchronous call.
#[pyfunction]
pub(crate) fn is_blocked_event_loop(event_loop: &Bound<'_, PyAny>) -> bool {
    contains(event_loop)
}
