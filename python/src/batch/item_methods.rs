//! `BatchItemBase` as Python sees it.

use std::ffi::CStr;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::batch::join::join;
use crate::ffi::arguments::Arguments;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::init_method::InitMethod;
use crate::future::base::{FutureBase, Kind};
use crate::imports;

/// The method `__init__`, which is called for each item.
pub(crate) struct Init;

impl InitMethod for Init {
    type Class = BatchItemBase;

    const SIGNATURE: &'static CStr = c"($self, /, batch)";
    const DOC: &'static CStr =
        c"Makes the item the last one of the batch, which must not be flushed.";

    fn call(slf: &Bound<'_, BatchItemBase>, args: Arguments<'_, '_>) -> PyResult<()> {
        let batch = args.one("BatchItemBase.__init__", "batch")?;
        join(slf, batch.cast::<BatchBase>().map_err(|_| no_batch(&batch))?)
    }
}

#[cold]
fn no_batch(object: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "the argument 'batch' of an item has to be a BatchBase, not {}",
        imports::type_name(object)
    ))
}

#[pymethods]
impl BatchItemBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Item)).add_subclass(Self::blank())
    }

    /// The batch it belongs to.
    #[getter]
    fn batch(slf: &Bound<'_, Self>) -> Option<Py<BatchBase>> {
        slf.state().batch.as_ref().map(|batch| batch.clone_ref(slf.py()))
    }

    #[setter]
    fn set_batch(slf: &Bound<'_, Self>, batch: Option<Py<BatchBase>>) -> PyResult<()> {
        let is_awaitable =
            slf.header().ordinal().is_some() && FutureBase::is_pending(slf.as_super());
        if is_awaitable {
            return Err(PyRuntimeError::new_err(
                "a pending item cannot move to another batch: make a new item there",
            ));
        }
        Self::resume_tracking(slf);
        let before = {
            // It was not added to this batch, so that nobody can wait for it there.
            slf.header().set_ordinal(None);
            std::mem::replace(&mut slf.state().batch, batch)
        };
        defer_drop(before);
        Ok(())
    }

    /// Position in the batch.
    #[getter(index)]
    fn index(slf: &Bound<'_, Self>) -> i32 {
        slf.header().index.get()
    }

    #[setter(index)]
    fn set_index(slf: &Bound<'_, Self>, index: i32) {
        slf.header().index.set(index);
    }

    #[getter(_total_time)]
    fn total_time(slf: &Bound<'_, Self>) -> i64 {
        slf.as_super().state().profile().total_time
    }

    #[setter(_total_time)]
    fn set_total_time(slf: &Bound<'_, Self>, total_time: i64) {
        slf.as_super().state().profile_mut().total_time = total_time;
    }

    #[getter(_id)]
    fn id(slf: &Bound<'_, Self>) -> i64 {
        slf.as_super().state().profile().id
    }

    #[setter(_id)]
    fn set_id(slf: &Bound<'_, Self>, id: i64) {
        slf.as_super().state().profile_mut().id = id;
    }

    /// The name of the item in profiles.
    fn to_str<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "item_to_str", (slf,))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.take_in_traverse(&visit) {
            Some(item) => visit.call(&item.batch),
            None => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = slf.state().batch.take();
        defer_drop(before);
    }
}
