//! Versions of classes: the interpreter gives a class another one whenever it changes.

use std::num::NonZeroU32;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::ffi::class_flags::flags;

/// Returns the version of the attributes of a class and of its bases; `None` if the interpreter has
/// given it none since the last change. No two classes ever have the same.
#[allow(unsafe_code)]
pub(crate) fn type_version(class: &Bound<'_, PyType>) -> Option<NonZeroU32> {
    // SAFETY: a live class; the GIL keeps others from changing it meanwhile.
    let (version, flags) = unsafe {
        let class = class.as_type_ptr();
        ((*class).tp_version_tag, flags(class))
    };
    // Before CPython 3.13 the number may be that of a time before a change.
    let is_valid = cfg!(Py_3_13) || flags & ffi::Py_TPFLAGS_VALID_VERSION_TAG != 0;
    if is_valid { NonZeroU32::new(version) } else { None }
}
