//! Arguments of a call, as they lie on the interpreter's stack.

use std::ptr;
use std::slice;

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smallvec::SmallVec;

/// Arguments of a call, held by the caller.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a, 'py> {
    /// The values: positional arguments, then keyword arguments.
    values: &'a [*mut PyObject],
    positional: usize,
    /// The tuple of the names of the keyword arguments, or null.
    names: *mut PyObject,
    py: Python<'py>,
}

impl<'a, 'py> Arguments<'a, 'py> {
    /// Takes the arguments of a vectorcall.
    ///
    /// # Safety
    ///
    /// They live for `'a`: `values` are `positional` objects (or null if there are none at all), and
    /// then one more for each of the names. `names` is null or a tuple.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn of_vectorcall(
        py: Python<'py>,
        values: *const *mut PyObject,
        positional: usize,
        names: *mut PyObject,
    ) -> Self {
        // SAFETY: as above.
        let values = unsafe {
            let keywords =
                if names.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(names).unsigned_abs() };
            if values.is_null() {
                &[]
            } else {
                slice::from_raw_parts(values, positional + keywords)
            }
        };
        Self { values, positional, names, py }
    }

    /// Calls `function` with the arguments of a call in the old convention.
    #[allow(unsafe_code)]
    pub(crate) fn with<T>(
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
        function: impl FnOnce(Arguments<'_, 'py>) -> PyResult<T>,
    ) -> PyResult<T> {
        let py = args.py();
        let mut values: Vec<_> = args.iter_borrowed().map(Borrowed::as_ptr).collect();
        let positional = values.len();
        let Some(kwargs) = kwargs.filter(|kwargs| !kwargs.is_empty()) else {
            return function(Arguments { values: &values, positional, names: ptr::null_mut(), py });
        };
        let keywords: Vec<_> = kwargs.iter().collect();
        values.extend(keywords.iter().map(|(_, value)| value.as_ptr()));
        let names = PyTuple::new(py, keywords.iter().map(|(name, _)| name))?;
        function(Arguments { values: &values, positional, names: names.as_ptr(), py })
    }

    /// Returns the positional arguments.
    #[inline]
    pub(crate) fn positional(self) -> Positional<'a, 'py> {
        let args = self.values.get(..self.positional).unwrap_or_default();
        Positional { args, py: self.py }
    }

    /// Returns whether there are keyword arguments.
    #[inline]
    pub(crate) fn has_keywords(self) -> bool {
        self.positional < self.values.len()
    }

    /// Returns the keyword arguments, if there are any.
    #[inline]
    pub(crate) fn keywords(self) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.names.is_null() { Ok(None) } else { self.collect_keywords() }
    }

    #[cold]
    #[allow(unsafe_code)]
    fn collect_keywords(self) -> PyResult<Option<Bound<'py, PyDict>>> {
        // SAFETY: a live tuple, which the caller holds.
        let names = unsafe { Bound::from_borrowed_ptr(self.py, self.names) };
        let names = names.cast_into::<PyTuple>()?;
        if names.is_empty() {
            return Ok(None);
        }
        let kwargs = PyDict::new(self.py);
        let args = self.values.get(self.positional..).unwrap_or_default();
        let values = Positional { args, py: self.py };
        for (name, value) in names.iter().zip(values.iter()) {
            kwargs.set_item(name, value)?;
        }
        Ok(Some(kwargs))
    }

    /// Returns the only argument of a method that takes one, which may be given by its name.
    ///
    /// # Errors
    ///
    /// `TypeError` if it is missing, or there are others.
    #[inline]
    pub(crate) fn one(self, method: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.only().map_or_else(|| self.one_by_name(method, name), Ok)
    }

    /// Returns the only argument, if there is one and it is positional.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn only(self) -> Option<Bound<'py, PyAny>> {
        match self.values {
            // SAFETY: a live object, which the caller holds.
            [only] if self.positional == 1 => unsafe {
                Some(Bound::from_borrowed_ptr(self.py, *only))
            },
            _ => None,
        }
    }

    #[cold]
    fn one_by_name(self, method: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let kwargs = self.keywords()?;
        let named = match &kwargs {
            Some(kwargs) => kwargs.get_item(name)?,
            None => None,
        };
        let is_other =
            |key: &Bound<'_, PyAny>| key.extract::<String>().map_or(true, |key| key != name);
        if let Some(unexpected) = kwargs.iter().flat_map(PyDictMethods::keys).find(is_other) {
            return Err(PyTypeError::new_err(format!(
                "{method}() got an unexpected keyword argument '{unexpected}'"
            )));
        }
        match (self.positional, named) {
            (0, Some(value)) => Ok(value),
            (0, None) => Err(PyTypeError::new_err(format!(
                "{method}() missing 1 required positional argument: '{name}'"
            ))),
            (1, Some(_)) => Err(PyTypeError::new_err(format!(
                "{method}() got multiple values for argument '{name}'"
            ))),
            (count, _) => Err(PyTypeError::new_err(format!(
                "{method}() takes 1 positional argument but {count} were given"
            ))),
        }
    }

    /// Calls `function` with the same arguments, after another positional one.
    #[inline]
    pub(crate) fn after<T>(
        self,
        first: &Bound<'py, PyAny>,
        function: impl FnOnce(Arguments<'_, 'py>) -> T,
    ) -> T {
        let mut values = SmallVec::<[_; 6]>::with_capacity(self.values.len() + 1);
        values.push(first.as_ptr());
        values.extend_from_slice(self.values);
        function(Arguments { values: &values, positional: self.positional + 1, ..self })
    }

    /// Calls a function with the same arguments, where they lie.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn call(self, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: live objects, which the caller holds. The result is a new reference, or null with an
        // exception set.
        unsafe {
            let (values, names) = (self.values.as_ptr(), self.names);
            let result =
                ffi::PyObject_Vectorcall(function.as_ptr(), values, self.positional, names);
            Bound::from_owned_ptr_or_err(self.py, result)
        }
    }
}

/// Positional arguments of a call, held by the caller.
#[derive(Clone, Copy)]
pub(crate) struct Positional<'a, 'py> {
    args: &'a [*mut PyObject],
    py: Python<'py>,
}

impl<'py> Positional<'_, 'py> {
    pub(crate) fn len(self) -> usize {
        self.args.len()
    }

    #[allow(unsafe_code)]
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = Bound<'py, PyAny>> {
        // SAFETY: live objects, which the caller holds.
        self.args.iter().map(move |&arg| unsafe { Bound::from_borrowed_ptr(self.py, arg) })
    }
}

/// Function and arguments of a call that is running, without references to them.
pub(crate) struct Activation {
    function: *mut PyObject,
    values: *const [*mut PyObject],
    positional: usize,
    names: *mut PyObject,
    /// The generator that the function has returned, or null.
    generator: *mut PyObject,
}

impl Activation {
    #[inline]
    pub(crate) fn new<'py>(
        function: &Bound<'py, PyAny>,
        args: Arguments<'_, 'py>,
        generator: Option<&Bound<'py, PyAny>>,
    ) -> Self {
        Self {
            function: function.as_ptr(),
            values: args.values,
            positional: args.positional,
            names: args.names,
            generator: generator.map_or(ptr::null_mut(), Bound::as_ptr),
        }
    }

    /// Sets the generator or coroutine that the function has returned.
    pub(crate) fn set_generator(&mut self, generator: &Bound<'_, PyAny>) {
        self.generator = generator.as_ptr();
    }

    /// Returns the function, its arguments and the generator.
    #[allow(unsafe_code)]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> ActiveCall<'_, 'py> {
        // SAFETY: the call has not ended, since the call stack removes its entry before that; and so
        // the code that made the activation holds them all. If its greenlet was suspended, it runs
        // again, since nobody else reads its call stack.
        unsafe {
            let function = Bound::from_borrowed_ptr(py, self.function);
            let generator = Bound::from_borrowed_ptr_or_opt(py, self.generator);
            let (values, positional, names) = (&*self.values, self.positional, self.names);
            (function, Arguments { values, positional, names, py }, generator)
        }
    }
}

/// A function, its arguments, and the generator that it has returned.
type ActiveCall<'a, 'py> = (Bound<'py, PyAny>, Arguments<'a, 'py>, Option<Bound<'py, PyAny>>);
