//! `Bindings`: the loaders of the instances of a class, by identity.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;
use pyo3::{PyTraverseError, PyVisit};

/// Object to which the loader of a class binds.
#[derive(Clone, Copy, Default)]
pub(crate) enum Binds {
    #[default]
    ToInstance,
    ToClass,
    Never,
}

/// The loader of one instance.
pub(crate) struct Binding {
    /// Weak reference to the instance; `None` if it has no room for one. Then this is forgotten when
    /// the bound loader dies, which holds the instance until then.
    pub(crate) owner: Option<Py<PyWeakrefReference>>,
    /// Weak reference to the bound loader.
    pub(crate) bound: Py<PyWeakrefReference>,
    /// The core. `None` without a weak reference to the instance: the bound loader holds it.
    pub(crate) core: Option<Py<PyAny>>,
}

impl Binding {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            owner: self.owner.as_ref().map(|owner| owner.clone_ref(py)),
            bound: self.bound.clone_ref(py),
            core: self.core.as_ref().map(|core| core.clone_ref(py)),
        }
    }

    /// Returns the weak reference with whose referent the binding ends.
    fn end(&self) -> &Py<PyWeakrefReference> {
        self.owner.as_ref().unwrap_or(&self.bound)
    }
}

/// The loaders of the instances of a class, by the addresses of the instances.
///
/// An address may belong to another object later, so whoever looks here compares the instance.
#[derive(Default)]
pub(crate) struct Bindings(HashMap<usize, Binding>);

impl Bindings {
    pub(crate) fn get(&self, address: usize) -> Option<&Binding> {
        self.0.get(&address)
    }

    /// Adds a binding. Returns the one before, which the caller drops when the state is not taken.
    pub(crate) fn insert(&mut self, address: usize, binding: Binding) -> Option<Binding> {
        self.0.insert(address, binding)
    }

    /// Removes the binding that ends with the referent of a weak reference, and returns it.
    pub(crate) fn remove(&mut self, address: usize, end: &Bound<'_, PyAny>) -> Option<Binding> {
        let is_same = self.0.get(&address).is_some_and(|binding| binding.end().is(end));
        if is_same { self.0.remove(&address) } else { None }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.values().try_for_each(|binding| {
            visit.call(&binding.owner)?;
            visit.call(&binding.bound)?;
            visit.call(&binding.core)
        })
    }
}
