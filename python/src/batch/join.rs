//! Joining: a new item becomes the last one of an open batch.

use pyo3::exceptions::{PyAssertionError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::ffi::deferred_drop::release;
use crate::ffi::gil_cell::TakeState;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::register::add_items;

/// Appends an item to an open batch. Returns its index, and its position among all that were ever added.
#[inline]
fn append(item: &Bound<'_, BatchItemBase>, batch: &Bound<'_, BatchBase>) -> PyResult<(usize, u32)> {
    let items = BatchBase::items(batch);
    let ordinal = {
        let mut state = batch.state();
        if state.flushing || BatchBase::is_flushed(batch) {
            drop(state);
            return Err(PyAssertionError::new_err(
                "can't add an item to the batch that is already flushed: its \
                 _try_switch_active_batch() has to make another one take its place",
            ));
        }
        let ordinal = state.count;
        state.count += 1;
        ordinal
    };
    let index = items.len();
    items.append(item)?;
    Ok((index, ordinal))
}

/// Makes an item the last one of an open batch.
///
/// # Errors
///
/// `AssertionError` if the batch takes no more items, `RuntimeError` if the item is in a batch.
pub(crate) fn join(item: &Bound<'_, BatchItemBase>, batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let py = item.py();
    if item.header().ordinal().is_some() {
        return Err(PyRuntimeError::new_err(
            "this item is in a batch already: make a new one instead of calling __init__() again",
        ));
    }
    // Other threads may add items, too, or begin to flush.
    let (index, ordinal) = with_critical_section(batch.as_any(), || append(item, batch))?;
    add_items(batch);
    let id = if Switches::on().has(Switches::COLLECT_PERF_STATS) {
        imports::incr_counter(py)?.call0()?.extract()?
    } else {
        0
    };
    item.header().index.set(i32::try_from(index).unwrap_or(i32::MAX));
    item.header().set_ordinal(Some(ordinal));
    if id != 0 {
        item.as_super().state().profile_mut().id = id;
    }
    let before = item.state().batch.replace(batch.clone().unbind());
    release(py, before);
    Ok(())
}
