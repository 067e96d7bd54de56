//! Variants of loaders.
//!
//! # Note: variants
//!
//! A *variant* is a loader with rounds, caches and loads in flight of its own, for callers that must not
//! share them with others: those of one request, or those that see the same values of `per`. Each load
//! looks for it first, so variants that are known are found here; `_find_variant` makes the others.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyWeakrefReference};

use crate::ffi::context_vars::variable_value;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::loader::base::LoaderBase;
use crate::loader::bound::with_core;
use crate::loader::varies::{self, Varies};
use crate::scopes::active_scopes;

/// Makes loaders ask in which request their caller is.
#[pyfunction]
pub(crate) fn divide_loaders_by_request() {
    varies::note_request();
}

/// Returns the loader that the caller uses: a variant, or the loader itself.
///
/// # Errors
///
/// If a value of `per` is missing or has no hash, or a function of `per` raises.
pub(crate) fn of_caller<'py>(loader: &Bound<'py, LoaderBase>) -> PyResult<Bound<'py, LoaderBase>> {
    let varies = LoaderBase::core(loader).state().varies;
    if !varies.may_vary() {
        return Ok(loader.clone());
    }
    thread_exit::protect();
    let request = if varies::has_requests() { current_request(loader.py())? } else { None };
    let core = LoaderBase::core(loader);
    let known = match (varies, request) {
        (Varies::ByRequest, None) => return Ok(loader.clone()),
        (Varies::ByRequest, Some(request)) => in_request(&core, &request, None)?,
        (_, request) => match (values_of(&core)?, request) {
            (None, _) => None,
            (Some(values), None) => with_values(&core, values)?,
            (values, Some(request)) => in_request(&core, &request, values)?,
        },
    };
    let variant = match known {
        Some(variant) => variant,
        None => core.call_method0(intern!(loader.py(), "_find_variant"))?.cast_into()?,
    };
    if core.is(loader) { Ok(variant) } else { bind(loader, &variant) }
}

/// Returns a variant as the loader of the instance to which `loader` is bound.
///
/// The variant does not refer to the instance, as the core of the instance does not.
fn bind<'py>(
    loader: &Bound<'py, LoaderBase>,
    variant: &Bound<'py, LoaderBase>,
) -> PyResult<Bound<'py, LoaderBase>> {
    let py = loader.py();
    let last = loader.state().last_variant.as_ref().map(|last| last.bind(py).clone());
    if let Some(last) = last.and_then(|last| last.upgrade()) {
        let last = last.cast_into::<LoaderBase>()?;
        if LoaderBase::core(&last).is(variant) {
            return Ok(last);
        }
    }
    let bound = with_core(loader, variant)?;
    let reference = PyWeakrefReference::new(&bound)?.unbind();
    let before = loader.state().last_variant.replace(reference);
    drop(before);
    Ok(bound)
}

fn current_request(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    /// Owner of the requests among the active scopes.
    static REQUESTS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let owner = REQUESTS.import(py, "asynq._scopes", "REQUESTS")?;
    let Some(requests) = active_scopes(py)?.get_item(owner)? else { return Ok(None) };
    let requests = requests.cast_into::<PyTuple>()?;
    let innermost = requests.get_item(requests.len() - 1)?;
    innermost.cast_into::<PyTuple>()?.get_item(0).map(Some)
}

/// Returns the variant of a loader in a request, if there is one.
fn in_request<'py>(
    core: &Bound<'py, LoaderBase>,
    request: &Bound<'py, PyAny>,
    values: Option<Bound<'py, PyTuple>>,
) -> PyResult<Option<Bound<'py, LoaderBase>>> {
    let py = core.py();
    let variants = request.getattr(intern!(py, "_variants"))?.cast_into::<PyDict>()?;
    let id = core.as_ptr() as usize;
    let variant = match values {
        Some(values) => variants.get_item((id, values))?,
        None => variants.get_item(id)?,
    };
    Ok(variant.map(Bound::cast_into).transpose()?)
}

/// Returns the variant for values, if it was used not long ago.
fn with_values<'py>(
    core: &Bound<'py, LoaderBase>,
    values: Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, LoaderBase>>> {
    let recent = core.state().recent.as_ref().map(|recent| recent.bind(core.py()).clone());
    let Some(recent) = recent else { return Ok(None) };
    Ok(recent.get_item(values)?.map(Bound::cast_into).transpose()?)
}

/// Returns the values that the caller sees, if all sources are context variables with a value.
fn values_of<'py>(core: &Bound<'py, LoaderBase>) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let py = core.py();
    let sources = core.state().sources.as_ref().map(|sources| sources.bind(py).clone());
    let Some(sources) = sources else { return Ok(None) };
    let mut values = Vec::with_capacity(sources.len());
    for source in sources.iter_borrowed() {
        let Some(value) = variable_value(&source) else { return Ok(None) };
        values.push(value);
    }
    let values = PyTuple::new(py, values)?;
    Ok(values.hash().is_ok().then_some(values)) // The error says more later.
}
