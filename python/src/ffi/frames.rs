//! Frames: the places in the code where functions run or wait.
//!
//! Python makes an object of the frame of a generator that somebody asks for, which takes longer than to record a
//! wait. So the instruction at which a generator waits is read where the interpreter keeps it, which
//! [`find_fields`] looks for when the module is imported.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi::{self, PyFrameObject, PyObject};
use pyo3::intern;
use pyo3::prelude::*;

/// A frame of a function that runs, or of a generator or coroutine that waits.
pub(crate) struct Frame<'py>(Bound<'py, PyAny>);

impl<'py> Frame<'py> {
    /// Returns the frame of the Python code that has called us; `None` if there is none.
    #[allow(unsafe_code)]
    pub(crate) fn current(py: Python<'py>) -> Option<Self> {
        // SAFETY: the frame that runs, which stays alive as long as we hold it, or null.
        let frame = unsafe {
            Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast::<PyObject>())
        };
        frame.map(Self)
    }

    /// Returns the frame of a generator or coroutine; `None` if it has ended, or is another object.
    pub(crate) fn of_generator(generator: &Bound<'py, PyAny>) -> Option<Self> {
        let py = generator.py();
        let frame = generator
            .getattr_opt(intern!(py, "gi_frame"))
            .ok()
            .flatten()
            .or_else(|| generator.getattr_opt(intern!(py, "cr_frame")).ok().flatten())?;
        // SAFETY: only the class is compared.
        #[allow(unsafe_code)]
        let is_frame = unsafe { ffi::PyFrame_Check(frame.as_ptr()) } != 0;
        is_frame.then_some(Self(frame))
    }

    fn as_ptr(&self) -> *mut PyFrameObject {
        self.0.as_ptr().cast()
    }

    /// Returns the frame that has called it.
    #[allow(unsafe_code)]
    pub(crate) fn back(&self) -> Option<Self> {
        // SAFETY: a live frame; the result is a new reference, or null without an exception.
        let back = unsafe {
            let back = ffi::PyFrame_GetBack(self.as_ptr()).cast::<PyObject>();
            Bound::from_owned_ptr_or_opt(self.0.py(), back)
        };
        back.map(Self)
    }

    /// Returns the code object.
    #[allow(unsafe_code)]
    pub(crate) fn code(&self) -> Bound<'py, PyAny> {
        // SAFETY: a live frame, which always has code; the result is a new reference.
        unsafe {
            let code = ffi::PyFrame_GetCode(self.as_ptr()).cast::<PyObject>();
            Bound::from_owned_ptr(self.0.py(), code)
        }
    }

    /// Returns a number that is the same whenever this code is at the same place.
    #[allow(unsafe_code)]
    pub(crate) fn position(&self) -> i32 {
        // SAFETY: a live frame.
        #[cfg(Py_3_11)]
        return unsafe { ffi::PyFrame_GetLasti(self.as_ptr()) };
        #[cfg(not(Py_3_11))]
        unsafe {
            ffi::PyFrame_GetLineNumber(self.as_ptr())
        }
    }

    /// Returns the line at which it is.
    #[allow(unsafe_code)]
    pub(crate) fn line(&self) -> u32 {
        // SAFETY: a live frame.
        let line = unsafe { ffi::PyFrame_GetLineNumber(self.as_ptr()) };
        u32::try_from(line).unwrap_or(0)
    }
}

/// Index of the word of a generator that refers to its code; 0 if it was not found.
static CODE: AtomicUsize = AtomicUsize::new(0);
/// Index of the word of a generator that refers to its instruction; 0 if it was not found.
static INSTRUCTION: AtomicUsize = AtomicUsize::new(0);

/// Returns the address of the code of a generator or coroutine that waits, and a number that is the same whenever it
/// waits at the same place; `None` if it is another object, or the fields were not found.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn suspended_at(generator: &Bound<'_, PyAny>) -> Option<(usize, usize)> {
    let (code, instruction) = (CODE.load(Ordering::Relaxed), INSTRUCTION.load(Ordering::Relaxed));
    // SAFETY: the class is only compared; `find_fields` has found both fields in objects of these classes.
    unsafe {
        let class = ffi::Py_TYPE(generator.as_ptr());
        let is_known = std::ptr::eq(class, &raw const ffi::PyGen_Type)
            || std::ptr::eq(class, &raw const ffi::PyCoro_Type);
        if code == 0 || !is_known {
            return None;
        }
        let words = generator.as_ptr().cast::<usize>();
        Some((*words.add(code), *words.add(instruction)))
    }
}

/// Looks for the fields of generators. If one cannot be found, frames are asked for.
pub(crate) fn find_fields(py: Python<'_>) -> PyResult<()> {
    if cfg!(Py_GIL_DISABLED) {
        return Ok(()); // Another thread may be running the generator.
    }
    let source = c"def one():\n    yield\n    a = [0]\n    yield a\ndef other(x, y=1):\n    z = x\n    yield z\n    yield y, z\n";
    let functions = pyo3::types::PyDict::new(py);
    py.run(source, Some(&functions), None)?;
    let mut found = None;
    for (name, args) in [("one", 0), ("other", 1)] {
        let Some(function) = functions.get_item(name)? else { return Ok(()) };
        let generator = if args == 0 { function.call0()? } else { function.call1((0,))? };
        let Some(fields) = fields_of(&generator)? else { return Ok(()) };
        if found.is_some_and(|found| found != fields) {
            return Ok(());
        }
        found = Some(fields);
    }
    if let Some((code, instruction, _)) = found {
        CODE.store(code, Ordering::Relaxed);
        INSTRUCTION.store(instruction, Ordering::Relaxed);
    }
    Ok(())
}

/// Returns the indexes of the two fields of a generator that yields twice, and the distance of the first instruction
/// from its code; `None` if they are not clear.
fn fields_of(generator: &Bound<'_, PyAny>) -> PyResult<Option<(usize, usize, usize)>> {
    let py = generator.py();
    let mut seen = Vec::new();
    for _ in 0..2 {
        generator.call_method0(intern!(py, "__next__"))?;
        let Some(frame) = Frame::of_generator(generator) else { return Ok(None) };
        let lasti: usize = frame.0.getattr(intern!(py, "f_lasti"))?.extract()?;
        seen.push((words(generator), lasti, frame.code().as_ptr() as usize));
    }
    let [(first, lasti, code), (second, next, _)] = &seen[..] else { return Ok(None) };
    let header = size_of::<PyObject>() / size_of::<usize>();
    let of_code = (header..first.len()).find(|&word| first[word] == *code && second[word] == *code);
    let mut instructions = (header..first.len()).filter(|&word| {
        first[word] > *code && second[word].wrapping_sub(first[word]) == next - lasti
    });
    let (Some(of_code), Some(instruction), None) =
        (of_code, instructions.next(), instructions.next())
    else {
        return Ok(None);
    };
    Ok(Some((of_code, instruction, first[instruction] - code - lasti)))
}

#[allow(unsafe_code)]
fn words(generator: &Bound<'_, PyAny>) -> Vec<usize> {
    // SAFETY: a live object, which is at least so large as its class says.
    unsafe {
        let object = generator.as_ptr();
        let size = usize::try_from((*ffi::Py_TYPE(object)).tp_basicsize).unwrap_or(0);
        (0..size / size_of::<usize>()).map(|word| *object.cast::<usize>().add(word)).collect()
    }
}

/// Returns the address of the code that runs, and a number that is the same whenever it is at the same place.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn running_at(_py: Python<'_>) -> Option<(usize, i32)> {
    // SAFETY: the frame that runs is alive, and holds its code.
    unsafe {
        let frame = ffi::PyEval_GetFrame();
        if frame.is_null() {
            return None;
        }
        let code = ffi::PyFrame_GetCode(frame).cast::<PyObject>();
        ffi::Py_DECREF(code);
        #[cfg(Py_3_11)]
        let position = ffi::PyFrame_GetLasti(frame);
        #[cfg(not(Py_3_11))]
        let position = ffi::PyFrame_GetLineNumber(frame);
        Some((code as usize, position))
    }
}

/// Returns the code object of a Python function; `None` if it is another object.
#[allow(unsafe_code)]
pub(crate) fn code_of<'py>(function: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: a live object; the code is only asked of a function, which holds it.
    unsafe {
        if ffi::PyFunction_Check(function.as_ptr()) == 0 {
            return None;
        }
        #[cfg(not(Py_GIL_DISABLED))]
        {
            let code = ffi::PyFunction_GetCode(function.as_ptr());
            Bound::from_borrowed_ptr_or_opt(function.py(), code)
        }
    }
    #[cfg(Py_GIL_DISABLED)] // Another thread may give the function other code.
    function.getattr(intern!(function.py(), "__code__")).ok()
}

/// Returns the code object of a generator or coroutine; `None` if it is another object.
pub(crate) fn code_of_generator<'py>(generator: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = generator.py();
    let code = |name| generator.getattr_opt(name).ok().flatten();
    code(intern!(py, "gi_code")).or_else(|| code(intern!(py, "cr_code")))
}
