//! The variable of the scopes that are active: overrides of scoped values, scopes of loaders, requests.
//!
//! Its value is a dict, which is never changed, from the owner of each kind of scope to a tuple of the
//! active ones, the innermost last. Each entry is a tuple that begins with the context and whether a task
//! has entered it.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::ffi::context_vars::variable_value;

/// Set once a scope was ever entered. Other programs only check this flag.
static ARE_USED: AtomicBool = AtomicBool::new(false);

/// Returns whether a scope was ever entered in this process.
#[inline]
pub(crate) fn are_used() -> bool {
    ARE_USED.load(Ordering::Relaxed)
}

struct Scopes {
    variable: Py<PyAny>,
    /// The value without any scope, always the same object.
    none: Py<PyDict>,
}

fn scopes(py: Python<'_>) -> PyResult<&Scopes> {
    static SCOPES: PyOnceLock<Scopes> = PyOnceLock::new();
    SCOPES.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let (default, none) = (PyDict::new(py), PyDict::new(py));
        default.set_item("default", &none)?;
        let variable = class.call(("asynq.scopes",), Some(&default))?.unbind();
        Ok(Scopes { variable, none: none.unbind() })
    })
}

/// Returns the active scopes, by their owners.
#[pyfunction]
pub(crate) fn active_scopes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let scopes = scopes(py)?;
    match variable_value(scopes.variable.bind(py)) {
        Some(active) => Ok(active.cast_into::<PyDict>()?),
        None => Ok(scopes.none.bind(py).clone()),
    }
}

/// Replaces the active scopes in this context.
#[pyfunction]
pub(crate) fn set_active_scopes(py: Python<'_>, active: Bound<'_, PyDict>) -> PyResult<()> {
    ARE_USED.store(true, Ordering::Relaxed);
    let scopes = scopes(py)?;
    let active = if active.is_empty() { scopes.none.bind(py).clone() } else { active };
    scopes.variable.bind(py).call_method1(intern!(py, "set"), (active,)).map(|_| ())
}

/// Adds a scope to the active ones of its owner, in this context.
#[pyfunction]
pub(crate) fn push_scope<'py>(
    owner: &Bound<'py, PyAny>,
    entry: &Bound<'py, PyTuple>,
) -> PyResult<()> {
    let py = owner.py();
    let active = active_scopes(py)?.copy()?;
    let mut entries: Vec<_> = match active.get_item(owner)? {
        Some(entries) => entries.cast_into::<PyTuple>()?.iter().collect(),
        None => Vec::new(),
    };
    entries.push(entry.clone().into_any());
    active.set_item(owner, PyTuple::new(py, entries)?)?;
    set_active_scopes(py, active)
}

/// Removes the scope of a context, the innermost if it is active more than once. Where it was not entered,
/// nothing changes.
#[pyfunction]
pub(crate) fn pop_scope<'py>(
    owner: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = owner.py();
    let active = active_scopes(py)?.copy()?;
    let Some(entries) = active.get_item(owner)? else { return Ok(()) };
    let mut entries: Vec<_> = entries.cast_into::<PyTuple>()?.iter().collect();
    let is_of_context = |entry: &Bound<'_, PyAny>| {
        let entry = entry.cast::<PyTuple>();
        entry.is_ok_and(|entry| entry.get_item(0).is_ok_and(|own| own.is(context)))
    };
    let Some(index) = entries.iter().rposition(is_of_context) else { return Ok(()) };
    entries.remove(index);
    if entries.is_empty() {
        active.del_item(owner)?;
    } else {
        active.set_item(owner, PyTuple::new(py, entries)?)?;
    }
    set_active_scopes(py, active)
}

/// The context variable that holds the active scopes.
#[pyfunction]
pub(crate) fn scopes_variable(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(scopes(py)?.variable.bind(py).clone())
}

/// Returns the active scopes, or `None` as long as there were none in this process.
pub(crate) fn active(py: Python<'_>) -> Option<Py<PyDict>> {
    if are_used() { active_scopes(py).ok().map(Bound::unbind) } else { None }
}

/// Makes these scopes the active ones in this context.
pub(crate) fn activate(scopes: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = scopes.py();
    if active_scopes(py)?.is(scopes) { Ok(()) } else { set_active_scopes(py, scopes.clone()) }
}

/// Returns the active scopes that tasks have entered.
pub(crate) fn active_of_tasks(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let of_tasks = PyDict::new(py);
    for (owner, entries) in active_scopes(py)? {
        let entries = entries_of_tasks(&entries, true)?;
        if !entries.is_empty() {
            of_tasks.set_item(owner, PyTuple::new(py, entries)?)?;
        }
    }
    Ok(of_tasks)
}

/// Replaces the scopes that tasks have entered among the active ones in this context.
pub(crate) fn activate_of_tasks<'py>(
    py: Python<'py>,
    of_tasks: Option<&Bound<'py, PyDict>>,
) -> PyResult<()> {
    let active = active_scopes(py)?;
    let of_tasks = of_tasks.filter(|of_tasks| !of_tasks.is_empty());
    if of_tasks.is_none() && active.is_empty() {
        return Ok(());
    }
    let combined = PyDict::new(py);
    let mut owners: Vec<_> = active.keys().iter().collect();
    if let Some(of_tasks) = of_tasks {
        owners.extend(of_tasks.keys().iter());
    }
    for owner in owners {
        let mut entries = match active.get_item(&owner)? {
            Some(entries) => entries_of_tasks(&entries, false)?,
            None => Vec::new(),
        };
        if let Some(of_tasks) = of_tasks
            && let Some(inner) = of_tasks.get_item(&owner)?
        {
            entries.extend(inner.cast_into::<PyTuple>()?.iter());
        }
        if !entries.is_empty() {
            combined.set_item(owner, PyTuple::new(py, entries)?)?;
        }
    }
    if are_same(&active, &combined)? { Ok(()) } else { set_active_scopes(py, combined) }
}

/// Returns the entries that tasks have entered, or the others.
fn entries_of_tasks<'py>(
    entries: &Bound<'py, PyAny>,
    by_tasks: bool,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut chosen = Vec::new();
    for entry in entries.cast::<PyTuple>()? {
        if entry.cast::<PyTuple>()?.get_item(1)?.is_truthy()? == by_tasks {
            chosen.push(entry);
        }
    }
    Ok(chosen)
}

/// Returns whether two dicts have the same entries. Values of users are not compared.
fn are_same(one: &Bound<'_, PyDict>, other: &Bound<'_, PyDict>) -> PyResult<bool> {
    if one.len() != other.len() {
        return Ok(false);
    }
    for (owner, entries) in one {
        let Some(others) = other.get_item(owner)? else { return Ok(false) };
        let (entries, others) = (entries.cast_into::<PyTuple>()?, others.cast_into::<PyTuple>()?);
        let are_same = entries.len() == others.len()
            && entries.iter().zip(others.iter()).all(|(entry, other)| entry.is(&other));
        if !are_same {
            return Ok(false);
        }
    }
    Ok(true)
}
