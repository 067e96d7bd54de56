//! Lookup of the methods that a user's subclass overrides. Methods that are not overridden are called
//! without going through Python.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::loader::load::Load;
use crate::task::async_task::AsyncTask;

/// Returns whether the class of `object` has another method `name` than our class `T`.
///
/// This is looked up each time (in the interpreter's cache of attributes), and not remembered, so
/// that a method that a test patches in counts as well.
pub(crate) fn overrides<T: PyTypeInfo>(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
) -> bool {
    let class = object.get_type();
    if class.is(AsyncTask::type_object(object.py())) || class.is(Load::type_object(object.py())) {
        return false;
    }
    let ours = T::type_object(object.py());
    if class.is(&ours) {
        return false;
    }
    match (class.getattr(name), ours.getattr(name)) {
        (Ok(theirs), Ok(ours)) => !theirs.is(&ours),
        _ => true,
    }
}
