//! `RoundBase`: the keys that a loader asks for together.

use pyo3::exceptions::{PyBaseException, PyException, PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PySequence, PyString, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::ffi::gil_cell::GilCell;
use crate::future::base::{FutureBase, Kind, settle};
use crate::future::outcome::Outcome;
use crate::loader::load::Load;

/// The batch of a loader: `asynq.loaders` says how it is flushed.
#[pyclass(frozen, extends = BatchBase, subclass, module = "asynq.loaders")]
pub(crate) struct RoundBase(GilCell<Keys>);

struct Keys {
    loads: Option<Py<PyDict>>,
    /// Whether the scheduler holds the round.
    held: bool,
}

impl RoundBase {
    /// The loads by their keys.
    pub(crate) fn loads<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyDict> {
        let py = slf.py();
        let loads = slf.get().0.take().loads.as_ref().map(|loads| loads.bind(py).clone());
        loads.unwrap_or_else(|| PyDict::new(py))
    }

    pub(crate) fn is_held(slf: &Bound<'_, Self>) -> bool {
        slf.get().0.take().held
    }

    pub(crate) fn set_held(slf: &Bound<'_, Self>, held: bool) {
        slf.get().0.take().held = held;
    }

    /// The scheduler does not hold it any more.
    pub(crate) fn released(slf: &Bound<'_, Self>) {
        Self::set_held(slf, false);
        for item in BatchBase::items(slf.as_super()).iter() {
            if let Ok(item) = item.cast::<BatchItemBase>() {
                BatchItemBase::resume_tracking(item);
            }
        }
    }

    /// The load of an equal key that has no value yet.
    pub(crate) fn find<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Load>>> {
        let Some(load) = Self::loads(slf).get_item(key)? else { return Ok(None) };
        let load = load.cast_into::<Load>()?;
        Ok(Load::is_pending(&load).then_some(load))
    }
}

#[pymethods]
impl RoundBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Batch))
            .add_subclass(BatchBase::blank(py))
            .add_subclass(Self(GilCell::new(Keys {
                loads: Some(PyDict::new(py).unbind()),
                held: false,
            })))
    }

    /// Gives those loads their values whose values were kept; returns the others, and their keys.
    fn begin<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
        let py = slf.py();
        let (loads, keys) = (PyList::empty(py), PyList::empty(py));
        for item in BatchBase::items(slf.as_super()).iter() {
            let load = item.cast_into::<Load>()?;
            if !Load::is_pending(&load) {
                continue;
            }
            if let Some(cached_value) = Load::take_cached_value(&load) {
                settle(load.as_super().as_super(), came(&cached_value)?)?;
            } else {
                keys.append(Load::key(&load))?;
                loads.append(load)?;
            }
        }
        Ok((loads, keys))
    }

    /// The next one who asks for the key gets another load; this one is not kept in `cache`.
    fn forget(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        cache: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let loads = Self::loads(slf);
        let Some(load) = loads.get_item(key)? else { return Ok(()) };
        Load::forget(load.cast()?, cache);
        loads.del_item(key)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_take() {
            Some(keys) => visit.call(&keys.loads),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let before = self.0.take().loads.take();
        drop(before);
    }
}

/// What a kept or returned object means: an exception is an error.
fn came(object: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    if object.is_instance_of::<PyBaseException>() {
        Outcome::from_exception(object)
    } else {
        Ok(Outcome::Value(object.clone().unbind()))
    }
}

/// Gives each of the loads what `answer` has for its key, and keeps it where it is to be kept:
/// errors only if `keeps_errors`. Returns the loads for which it has nothing.
///
/// Raises `TypeError` or `ValueError` if it is no answer to so many keys.
#[pyfunction]
pub(crate) fn deliver<'py>(
    loads: &Bound<'py, PyList>,
    answer: &Bound<'py, PyAny>,
    keeps_errors: bool,
) -> PyResult<Bound<'py, PyList>> {
    let missing = PyList::empty(loads.py());
    let answer = Answer::read(answer, loads.len())?;
    for (index, load) in loads.iter().enumerate() {
        let load = load.cast_into::<Load>()?;
        match answer.get(index, &load)? {
            Some(value) => resolve_load(&load, &value, keeps_errors)?,
            None => missing.append(load)?,
        }
    }
    Ok(missing)
}

/// Gives one load its value, or its error if that is an exception.
#[pyfunction]
pub(crate) fn resolve_load(
    load: &Bound<'_, Load>,
    value: &Bound<'_, PyAny>,
    keeps: bool,
) -> PyResult<()> {
    if !Load::is_pending(load) {
        return Ok(());
    }
    let outcome = came(value)?;
    let is_kept = keeps || matches!(outcome, Outcome::Value(_));
    let mut interrupt = Ok(());
    for cache in Load::take_caches(load) {
        if is_kept && let Err(error) = cache.set_item(Load::key(load), value) {
            // A cache that fails must not fail the load.
            if error.is_instance_of::<PyException>(load.py()) {
                error.write_unraisable(load.py(), Some(&cache));
            } else {
                interrupt = Err(error);
            }
        }
    }
    settle(load.as_super().as_super(), outcome)?;
    interrupt
}

/// What a batch function has returned.
enum Answer<'py> {
    Dict(Bound<'py, PyDict>),
    Mapping(Bound<'py, PyMapping>),
    Sequence(Bound<'py, PySequence>),
}

impl<'py> Answer<'py> {
    fn read(answer: &Bound<'py, PyAny>, count: usize) -> PyResult<Self> {
        if let Ok(dict) = answer.cast_exact::<PyDict>() {
            return Ok(Self::Dict(dict.clone()));
        }
        let is_text = answer.is_instance_of::<PyString>() || answer.is_instance_of::<PyBytes>();
        if let Ok(sequence) = answer.cast::<PySequence>()
            && !is_text
        {
            let length = sequence.len()?;
            if length != count {
                return Err(PyValueError::new_err(format!(
                    "the batch function has returned {length} values for {count} keys: return one \
                     for each key, in the order of the keys, or a mapping from keys to values"
                )));
            }
            return Ok(Self::Sequence(sequence.clone()));
        }
        if let Ok(mapping) = answer.cast::<PyMapping>() {
            return Ok(Self::Mapping(mapping.clone()));
        }
        Err(PyTypeError::new_err(format!(
            "the batch function has returned {}: it has to return a mapping from keys to values, or \
             a sequence with one value for each key",
            answer.get_type()
        )))
    }

    fn get(&self, index: usize, load: &Bound<'py, Load>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self {
            Self::Dict(dict) => dict.get_item(Load::key(load)),
            Self::Sequence(sequence) => sequence.get_item(index).map(Some),
            Self::Mapping(mapping) => match mapping.get_item(Load::key(load)) {
                Err(error) if error.is_instance_of::<PyKeyError>(load.py()) => Ok(None),
                value => value.map(Some),
            },
        }
    }
}
