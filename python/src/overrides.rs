//! Lookup of the methods that a user's subclass overrides. Methods that are not overridden are called
//! without going through Python.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use crate::ffi::type_version::type_version;

/// Returns whether the class of `object` has another method `name` than our class `T`.
///
/// The answer is remembered until the class or one of its bases changes, so that a method that a test
/// patches in counts as well.
#[inline]
pub(crate) fn overrides<T: PyTypeInfo>(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
) -> bool {
    let class = object.get_type();
    let ours = T::type_object(object.py());
    if class.is(&ours) {
        return false;
    }
    let answer = Answer::of(&class, name);
    answer.get(&class, name).unwrap_or_else(|| answer.look_up(&class, &ours, name))
}

/// A remembered answer. The GIL makes its parts belong together; where there is none, nothing is remembered.
struct Answer {
    class: AtomicUsize,
    name: AtomicUsize,
    /// Version of the class for which it is true; 0 for none.
    version: AtomicU32,
    overrides: AtomicU32,
}

/// Number of answers that are remembered at most. A program has some classes of items and batches.
const PLACES: usize = 64;

static ANSWERS: [Answer; PLACES] = [const { Answer::none() }; PLACES];

impl Answer {
    const fn none() -> Self {
        Self {
            class: AtomicUsize::new(0),
            name: AtomicUsize::new(0),
            version: AtomicU32::new(0),
            overrides: AtomicU32::new(0),
        }
    }

    /// Returns the place of the answer about a method of a class.
    #[inline]
    fn of(class: &Bound<'_, PyType>, name: &Bound<'_, PyString>) -> &'static Self {
        // Objects are aligned to 16 bytes.
        let hash = (class.as_ptr() as usize >> 4) ^ (name.as_ptr() as usize >> 5);
        &ANSWERS[hash % PLACES]
    }

    /// Returns the answer, if it is remembered and the class is as it was.
    #[inline]
    fn get(&self, class: &Bound<'_, PyType>, name: &Bound<'_, PyString>) -> Option<bool> {
        if cfg!(Py_GIL_DISABLED) {
            return None;
        }
        let version = type_version(class)?;
        let is_known = self.class.load(Ordering::Relaxed) == class.as_ptr() as usize
            && self.name.load(Ordering::Relaxed) == name.as_ptr() as usize
            && self.version.load(Ordering::Relaxed) == version.get();
        is_known.then(|| self.overrides.load(Ordering::Relaxed) != 0)
    }

    #[cold]
    fn look_up(
        &self,
        class: &Bound<'_, PyType>,
        ours: &Bound<'_, PyType>,
        name: &Bound<'_, PyString>,
    ) -> bool {
        let before = type_version(class);
        let overrides = match (class.getattr(name), ours.getattr(name)) {
            (Ok(theirs), Ok(ours)) => !theirs.is(&ours),
            _ => true,
        };
        // A class has no version before its first look-up, which may also have run code.
        if cfg!(not(Py_GIL_DISABLED))
            && let Some(version) = before
            && before == type_version(class)
        {
            self.class.store(class.as_ptr() as usize, Ordering::Relaxed);
            self.name.store(name.as_ptr() as usize, Ordering::Relaxed);
            self.version.store(version.get(), Ordering::Relaxed);
            self.overrides.store(overrides.into(), Ordering::Relaxed);
        }
        overrides
    }
}
