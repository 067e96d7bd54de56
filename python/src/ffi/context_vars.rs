//! Contexts of `contextvars`, and the question whether their variables have changed.
//!
//! A context keeps its variables in an immutable table, and replaces that when one is set. So nobody has
//! set a variable as long as a context has the same table. Python does not say which table that is, nor
//! which context a thread is in, without copying it, which for each step of a task is too much. Both
//! are a field of a structure; [`find_fields`] looks for them when the module is imported.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Index of the word of a thread state that refers to the current context; 0 if it was not found.
static CONTEXT_OF_THREAD: AtomicUsize = AtomicUsize::new(0);
/// Index of the word of a context that refers to its table; 0 if it was not found.
static TABLE_OF_CONTEXT: AtomicUsize = AtomicUsize::new(0);

/// The part of a thread state that is searched, in words. All versions of Python have the field in it.
const SEARCHED: usize = 64;

/// The table of a context at one time. Equal tables are the same one as long as something holds it, such
/// as a copy of the context.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table(usize);

impl Table {
    /// Returns a table that equals no other.
    #[cold]
    fn unknown() -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(1);
        Self(LAST.fetch_add(2, Ordering::Relaxed)) // Odd: no object has such an address.
    }
}

/// Returns the table of the context in which this code runs.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn current_table(_py: Python<'_>) -> Table {
    let field = CONTEXT_OF_THREAD.load(Ordering::Relaxed);
    if field == 0 {
        return Table::unknown();
    }
    // SAFETY: `find_fields` has found the field in the structure of this version.
    unsafe {
        let context = *ffi::PyThreadState_Get().cast::<*mut ffi::PyObject>().add(field);
        if context.is_null() { Table(0) } else { table_of(context) }
    }
}

/// # Safety
///
/// `context` is a context, and `find_fields` has found both fields.
#[inline]
#[allow(unsafe_code)]
unsafe fn table_of(context: *mut ffi::PyObject) -> Table {
    // SAFETY: as the caller has promised.
    unsafe { Table(*context.cast::<usize>().add(TABLE_OF_CONTEXT.load(Ordering::Relaxed))) }
}

/// A context of `contextvars`.
pub(crate) struct Context(Py<PyAny>);

impl Context {
    /// Copies the context in which this code runs.
    #[allow(unsafe_code)]
    pub(crate) fn copy_current(py: Python<'_>) -> PyResult<Self> {
        // SAFETY: returns a new reference, or null with an exception.
        let copy = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }?;
        Ok(Self(copy.unbind()))
    }

    /// Makes a context without variables.
    #[allow(unsafe_code)]
    pub(crate) fn empty(py: Python<'_>) -> PyResult<Self> {
        // SAFETY: returns a new reference, or null with an exception.
        let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_New()) }?;
        Ok(Self(context.unbind()))
    }

    /// Returns an object of Python as the context that it is.
    ///
    /// # Errors
    ///
    /// `TypeError` if it is none.
    #[allow(unsafe_code)]
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        // SAFETY: a live object; only its class is read.
        if unsafe { ffi::PyContext_CheckExact(object.as_ptr()) } == 0 {
            return Err(PyTypeError::new_err("a callback takes a context of contextvars"));
        }
        Ok(Self(object.clone().unbind()))
    }

    #[allow(unsafe_code)]
    pub(crate) fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        // SAFETY: the argument is a context; returns a new reference, or null with an exception.
        let copy =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_Copy(self.0.as_ptr())) }?;
        Ok(Self(copy.unbind()))
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self(self.0.clone_ref(py))
    }

    /// Makes it the current context of this thread.
    ///
    /// # Errors
    ///
    /// `RuntimeError` if a thread is in it already.
    #[allow(unsafe_code)]
    pub(crate) fn enter(&self, py: Python<'_>) -> PyResult<()> {
        // SAFETY: the argument is a context.
        match unsafe { ffi::PyContext_Enter(self.0.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(py)),
        }
    }

    /// Makes the context before it the current one.
    ///
    /// # Errors
    ///
    /// `RuntimeError` if the thread is in another context.
    #[allow(unsafe_code)]
    pub(crate) fn exit(&self, py: Python<'_>) -> PyResult<()> {
        // SAFETY: the argument is a context.
        match unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(py)),
        }
    }

    /// Returns its table.
    #[allow(unsafe_code)]
    pub(crate) fn table(&self, _py: Python<'_>) -> Table {
        if TABLE_OF_CONTEXT.load(Ordering::Relaxed) == 0 {
            return Table::unknown();
        }
        // SAFETY: it is a context.
        unsafe { table_of(self.0.as_ptr()) }
    }

    /// Returns a number that no other context has as long as this one is alive.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    pub(crate) fn object(&self) -> &Py<PyAny> {
        &self.0
    }

    pub(crate) fn into_object(self) -> Py<PyAny> {
        self.0
    }
}

/// Returns the value of a context variable where this code runs, or its default; `None` if it has neither,
/// or the object is no context variable.
#[allow(unsafe_code)]
pub(crate) fn variable_value<'py>(variable: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = variable.py();
    // SAFETY: a live object, which is a context variable when its value is asked for; the value is a
    // new reference, or null.
    unsafe {
        if ffi::PyContextVar_CheckExact(variable.as_ptr()) == 0 {
            return None;
        }
        let mut value = std::ptr::null_mut();
        if ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) != 0 {
            drop(PyErr::take(py)); // There is no memory for it.
            return None;
        }
        Bound::from_owned_ptr_or_opt(py, value)
    }
}

/// Looks for the two fields. If one cannot be found, contexts always count as changed.
#[allow(unsafe_code)]
pub(crate) fn find_fields(py: Python<'_>) -> PyResult<()> {
    let context = Context::empty(py)?;
    let variable = py.import("contextvars")?.getattr("ContextVar")?.call1(("asynq.field",))?;
    context.enter(py)?;
    let field_of_thread = find_context_of_thread(&context);
    let before = words(&context);
    let set = variable.call_method1("set", (1,));
    let after = words(&context);
    context.exit(py)?;
    drop(set?);
    let header = size_of::<ffi::PyObject>() / size_of::<usize>();
    let mut changed = (header..before.len()).filter(|&word| before[word] != after[word]);
    if let (Some(of_thread), Some(of_context), None) =
        (field_of_thread, changed.next(), changed.next())
    {
        CONTEXT_OF_THREAD.store(of_thread, Ordering::Relaxed);
        TABLE_OF_CONTEXT.store(of_context, Ordering::Relaxed);
    }
    Ok(())
}

/// Finds the field of the thread state that refers to the current context.
#[allow(unsafe_code)]
fn find_context_of_thread(current: &Context) -> Option<usize> {
    // SAFETY: the structure of each version has the field in this part, and the search ends there.
    unsafe {
        let thread = ffi::PyThreadState_Get().cast::<usize>();
        (1..SEARCHED).find(|&word| *thread.add(word) == current.address())
    }
}

#[allow(unsafe_code)]
fn words(context: &Context) -> Vec<usize> {
    // SAFETY: a live object, which is so large as its type says.
    unsafe {
        let object = context.0.as_ptr();
        let size = usize::try_from((*ffi::Py_TYPE(object)).tp_basicsize).unwrap_or(0);
        (0..size / size_of::<usize>()).map(|word| *object.cast::<usize>().add(word)).collect()
    }
}
