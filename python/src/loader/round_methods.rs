//! `RoundBase` as Python sees it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::base::{FutureBase, Kind};
use crate::future::resolve::resolve;
use crate::loader::delivery::outcome_of;
use crate::loader::load::Load;
use crate::loader::round::{Round, RoundBase};

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
            .add_subclass(Self(GilCell::new(Round {
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
                resolve(load.as_super().as_super(), outcome_of(&cached_value)?)?;
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
        match self.0.take_in_traverse(&visit) {
            Some(keys) => visit.call(&keys.loads),
            None => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = slf.state().loads.take();
        drop(before);
    }
}
