//! Bound loaders: the loader of an instance, or of a class.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyWeakrefReference};

use crate::asyncio_mode::is_entered;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::imports;
use crate::loader::base::LoaderBase;
use crate::loader::bindings::{Binding, Binds};
use crate::loader::cached_value::cached_value;

/// Returns the loader of `owner`, whose class has `template`.
pub(crate) fn loader_of<'py>(
    template: &Bound<'py, LoaderBase>,
    owner: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, LoaderBase>> {
    let py = template.py();
    thread_exit::protect();
    let binding =
        template.state().bindings.get(address(owner)).map(|binding| binding.clone_ref(py));
    let Some(binding) = binding else { return bind(template, owner, None) };
    if let Some(bound) = binding.bound.bind(py).upgrade() {
        let bound = bound.cast_into::<LoaderBase>()?;
        if bound.state().owner.as_ref().is_some_and(|own| own.is(owner)) {
            return Ok(bound);
        }
    }
    let is_same = is_of(&binding, owner);
    bind(template, owner, if is_same { Some(binding) } else { None })
}

/// Returns a loader that is bound to the same instance as another, with the state of `core`.
pub(crate) fn with_core<'py>(
    bound: &Bound<'py, LoaderBase>,
    core: &Bound<'py, LoaderBase>,
) -> PyResult<Bound<'py, LoaderBase>> {
    let py = bound.py();
    let (template, owner) = {
        let state = bound.state();
        let template = state.template.as_ref().map(|template| template.bind(py).clone());
        (template, state.owner.as_ref().map(|owner| owner.bind(py).clone()))
    };
    match (template, owner) {
        (Some(template), Some(owner)) => new_bound(&template, &owner, core),
        _ => Err(imports::internal_error()),
    }
}

/// Calls the loader of `instance` with a key: `call` makes the call if the value is not cached.
pub(crate) fn call_on<'py>(
    template: &Bound<'py, LoaderBase>,
    instance: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    call: impl Fn(&Bound<'py, LoaderBase>, &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = template.py();
    let binds = template.state().binds;
    let owner = match binds {
        Binds::ToInstance => instance.clone(),
        Binds::ToClass => instance.get_type().into_any(),
        Binds::Never => return call(template, key),
    };
    // Without a bound loader, which nobody else may hold.
    let binding = template.state().bindings.get(address(&owner)).map(|one| one.clone_ref(py));
    if let Some(binding) = &binding
        && is_of(binding, &owner)
        && let Some(core) = &binding.core
        && !is_entered(py)?
        && !core.bind(py).cast::<LoaderBase>()?.state().varies.may_vary()
        && let Some(value) = cached_value(core.bind(py).cast()?, key)?
    {
        return Ok(value);
    }
    if binding.is_none() && !is_attribute(template, instance)? {
        return Err(takes_one_key(template));
    }
    call(&loader_of(template, &owner)?, key)
}

/// Returns whether the class of an object has the loader as an attribute.
fn is_attribute(template: &Bound<'_, LoaderBase>, instance: &Bound<'_, PyAny>) -> PyResult<bool> {
    for class in instance.get_type().mro() {
        for value in
            class.getattr(intern!(class.py(), "__dict__"))?.call_method0("values")?.try_iter()?
        {
            if value?.is(template) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

pub(crate) fn takes_one_key(template: &Bound<'_, LoaderBase>) -> PyErr {
    PyTypeError::new_err(format!(
        "the loader {} takes one argument, the key. If it is under @classmethod, which no longer \
         binds it since Python 3.13, write @loader above @classmethod",
        name(template)
    ))
}

fn name(loader: &Bound<'_, LoaderBase>) -> String {
    let name = loader.getattr(intern!(loader.py(), "name"));
    name.map_or_else(|_| "without a name".to_owned(), |name| name.to_string())
}

/// Returns whether the binding is one of `owner`, and not of an object that was at its address before.
fn is_of(binding: &Binding, owner: &Bound<'_, PyAny>) -> bool {
    let own = binding.owner.as_ref().and_then(|own| own.bind(owner.py()).upgrade());
    own.is_some_and(|own| own.is(owner))
}

fn address(object: &Bound<'_, PyAny>) -> usize {
    object.as_ptr() as usize
}

/// Makes a new bound loader, with the core of an earlier one of the same instance.
fn bind<'py>(
    template: &Bound<'py, LoaderBase>,
    owner: &Bound<'py, PyAny>,
    earlier: Option<Binding>,
) -> PyResult<Bound<'py, LoaderBase>> {
    let py = template.py();
    let (weak_owner, core) = match earlier {
        Some(Binding { owner: weak_owner, core: Some(core), .. }) => {
            (weak_owner, core.into_bound(py))
        }
        _ => (
            weak_reference(template, owner)?,
            template.call_method1(intern!(py, "_new_core"), (owner,))?,
        ),
    };
    let core = core.cast_into::<LoaderBase>()?;
    let bound = new_bound(template, owner, &core)?;
    let end = match &weak_owner {
        Some(_) => PyWeakrefReference::new(&bound)?,
        None if core.state().cache.is_some() => return Err(needs_weak_reference(template, owner)),
        None => PyWeakrefReference::new_with(&bound, forget(template, owner)?)?,
    };
    let core = weak_owner.is_some().then(|| core.into_any().unbind());
    let binding = Binding { owner: weak_owner, bound: end.unbind(), core };
    let before = template.state().bindings.insert(address(owner), binding);
    drop(before);
    Ok(bound)
}

fn new_bound<'py>(
    template: &Bound<'py, LoaderBase>,
    owner: &Bound<'py, PyAny>,
    core: &Bound<'py, LoaderBase>,
) -> PyResult<Bound<'py, LoaderBase>> {
    let py = template.py();
    let class = template.get_type();
    let bound = class.call_method1(intern!(py, "__new__"), (&class,))?.cast_into::<LoaderBase>()?;
    let attributes = core.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?.copy()?;
    let function = core.getattr(intern!(py, "fn"))?;
    if let Some(get) = function.getattr_opt(intern!(py, "__get__"))? {
        attributes.set_item(intern!(py, "fn"), get.call1((owner, owner.get_type()))?)?;
    }
    bound.setattr(intern!(py, "__dict__"), attributes)?;
    let mut state = bound.state();
    state.binds = Binds::Never;
    state.owner = Some(owner.clone().unbind());
    state.core = Some(core.clone().unbind());
    state.template = Some(template.clone().unbind());
    drop(state);
    Ok(bound)
}

/// Returns a weak reference to the owner that ends its binding, or `None` if it has no room for one.
fn weak_reference(
    template: &Bound<'_, LoaderBase>,
    owner: &Bound<'_, PyAny>,
) -> PyResult<Option<Py<PyWeakrefReference>>> {
    match PyWeakrefReference::new_with(owner, forget(template, owner)?) {
        Ok(reference) => Ok(Some(reference.unbind())),
        Err(error) if error.is_instance_of::<PyTypeError>(owner.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the callback of a weak reference with whose referent a binding ends.
fn forget<'py>(
    template: &Bound<'py, LoaderBase>,
    owner: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyCFunction>> {
    let (template, address) = (PyWeakrefReference::new(template)?.unbind(), address(owner));
    let forget = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        let end = args.get_item(0)?;
        if let Some(template) = template.bind(args.py()).upgrade() {
            let template = template.cast_into::<LoaderBase>()?;
            let before = template.state().bindings.remove(address, &end);
            drop(before);
        }
        PyResult::Ok(())
    };
    PyCFunction::new_closure(owner.py(), None, None, forget)
}

fn needs_weak_reference(template: &Bound<'_, LoaderBase>, owner: &Bound<'_, PyAny>) -> PyErr {
    let name = name(template);
    let class = imports::type_name(owner);
    PyTypeError::new_err(format!(
        "the loader {name} has cache=True, and {class} objects cannot be weakly referenced, so nobody \
         could free the cache with its object: add \"__weakref__\" to the __slots__ of {class} \
         (weakref_slot=True for a dataclass), or use scope()"
    ))
}
