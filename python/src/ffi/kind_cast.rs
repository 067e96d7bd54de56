//! Casts of futures by their kind.

use pyo3::prelude::*;

use crate::batch::item::BatchItemBase;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::{FutureBase, Kind};

/// Returns the item that a future is. Unlike a cast, this does not search the bases of its class.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn as_item<'a, 'py>(
    future: &'a Bound<'py, FutureBase>,
) -> Option<&'a Bound<'py, BatchItemBase>> {
    let is_item = future.header().kind == Kind::Item;
    // SAFETY: only the constructors of `BatchItemBase` and of its subclass make futures of this kind. Python
    // gives an object no class of another layout.
    is_item.then(|| unsafe { future.cast_unchecked() })
}
