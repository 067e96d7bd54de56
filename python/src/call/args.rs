//! The positional arguments of a call.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::ffi::arguments::Positional;
use crate::ffi::deferred_drop::release;
use crate::ffi::gc_tracking;

/// Arguments without a tuple, until somebody asks for one: it would be one object more for each task that
/// the garbage collector counts and walks over.
#[derive(Default)]
pub(crate) enum Args {
    #[default]
    None,
    One(Py<PyAny>),
    Two(Box<[Py<PyAny>; 2]>),
    // Boxed twice to keep tasks small.
    Many(Box<Box<[Py<PyAny>]>>),
    Tuple(Py<PyTuple>),
    /// Further ones that are named.
    Named(Box<Named>),
}

/// Arguments of which some are named.
pub(crate) struct Named {
    positional: Args,
    keywords: Py<PyDict>,
}

impl Args {
    /// Makes the arguments of a call, after the instance if there is one.
    pub(crate) fn new<'py>(instance: Option<Bound<'py, PyAny>>, args: Positional<'_, 'py>) -> Self {
        let len = args.len() + usize::from(instance.is_some());
        let mut all = instance.into_iter().chain(args.iter()).map(Bound::unbind);
        match (len, all.next()) {
            (_, None) => Self::None,
            (1, Some(only)) => Self::One(only),
            (_, Some(first)) => Self::of_several(len, first, all),
        }
    }

    fn of_several(
        len: usize,
        first: Py<PyAny>,
        mut others: impl Iterator<Item = Py<PyAny>>,
    ) -> Self {
        match (len, others.next()) {
            (2, Some(second)) => Self::Two(Box::new([first, second])),
            (_, second) => {
                let mut args = Vec::with_capacity(len);
                args.push(first);
                args.extend(second);
                args.extend(others);
                Self::Many(Box::new(args.into()))
            }
        }
    }

    /// Adds arguments that are named.
    #[inline]
    pub(crate) fn with_keywords(mut self, keywords: Option<Bound<'_, PyDict>>) -> Self {
        if let Some(keywords) = keywords {
            let before = self.replace_keywords(keywords.unbind());
            debug_assert!(before.is_none(), "they are added once");
        }
        self
    }

    /// Sets those that are named. Returns the ones before.
    #[must_use]
    pub(crate) fn replace_keywords(&mut self, keywords: Py<PyDict>) -> Option<Py<PyDict>> {
        if let Self::Named(named) = self {
            return Some(std::mem::replace(&mut named.keywords, keywords));
        }
        let positional = std::mem::take(self);
        *self = Self::Named(Box::new(Named { positional, keywords }));
        None
    }

    /// Sets those that are not named. Returns the ones before.
    #[must_use]
    pub(crate) fn replace_positional(&mut self, positional: Self) -> Self {
        match self {
            Self::Named(named) => std::mem::replace(&mut named.positional, positional),
            _ => std::mem::replace(self, positional),
        }
    }

    /// Returns those that are named; `empty` becomes them if there are none.
    pub(crate) fn keywords_or(&mut self, empty: Py<PyDict>) -> &Py<PyDict> {
        if !matches!(self, Self::Named(_)) {
            let positional = std::mem::take(self);
            *self = Self::Named(Box::new(Named { positional, keywords: empty }));
        }
        match self {
            Self::Named(named) => &named.keywords,
            _ => unreachable!("it was replaced"),
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Named(named) => Self::Named(Box::new(Named {
                positional: named.positional.clone_ref(py),
                keywords: named.keywords.clone_ref(py),
            })),
            Self::None => Self::None,
            Self::One(arg) => Self::One(arg.clone_ref(py)),
            Self::Two(args) => Self::Two(Box::new(args.each_ref().map(|arg| arg.clone_ref(py)))),
            Self::Many(args) => {
                Self::Many(Box::new(args.iter().map(|arg| arg.clone_ref(py)).collect()))
            }
            Self::Tuple(args) => Self::Tuple(args.clone_ref(py)),
        }
    }

    /// Returns those that are not named.
    pub(crate) fn to_tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match self {
            Self::Named(named) => named.positional.to_tuple(py),
            Self::None => Ok(PyTuple::empty(py)),
            Self::One(arg) => PyTuple::new(py, [arg]),
            Self::Two(args) => PyTuple::new(py, &**args),
            Self::Many(args) => PyTuple::new(py, &***args),
            Self::Tuple(args) => Ok(args.bind(py).clone()),
        }
    }

    /// Calls a function with them.
    pub(crate) fn call<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match (self, kwargs) {
            (Self::Named(named), _) => {
                named.positional.call(function, Some(named.keywords.bind(function.py())))
            }
            (Self::None, None) => function.call0(),
            (Self::One(arg), None) => function.call1((arg,)),
            (Self::Two(args), None) => {
                let [a, b] = &**args;
                function.call1((a, b))
            }
            _ => function.call(self.to_tuple(function.py())?, kwargs),
        }
    }

    /// Calls `visit` with each of them.
    pub(crate) fn for_each<'py>(&self, py: Python<'py>, visit: &mut dyn FnMut(&Bound<'py, PyAny>)) {
        match self {
            Self::Named(named) => named.positional.for_each(py, visit),
            Self::None => {}
            Self::One(arg) => visit(arg.bind(py)),
            Self::Two(args) => args.iter().for_each(|arg| visit(arg.bind(py))),
            Self::Many(args) => args.iter().for_each(|arg| visit(arg.bind(py))),
            Self::Tuple(args) => args.bind(py).iter_borrowed().for_each(|arg| visit(&arg)),
        }
    }

    /// Returns whether none of them can refer to other objects.
    pub(crate) fn are_leaves(&self, py: Python<'_>) -> bool {
        match self {
            Self::Named(_) => false,
            Self::None => true,
            Self::One(arg) => gc_tracking::is_leaf(arg.bind(py)),
            Self::Two(args) => args.iter().all(|arg| gc_tracking::is_leaf(arg.bind(py))),
            Self::Many(args) => args.iter().all(|arg| gc_tracking::is_leaf(arg.bind(py))),
            Self::Tuple(args) => {
                args.bind(py).iter_borrowed().all(|arg| gc_tracking::is_leaf(&arg))
            }
        }
    }

    /// Gives them up, however long the chain of tasks that hangs on them.
    #[inline]
    pub(crate) fn release(self, py: Python<'_>) {
        match self {
            Self::Named(named) => {
                let Named { positional, keywords } = *named;
                positional.release(py);
                release(py, Some(keywords));
            }
            Self::None => {}
            Self::One(arg) => release(py, Some(arg)),
            Self::Two(args) => args.into_iter().for_each(|arg| release(py, Some(arg))),
            Self::Many(args) => args.into_iter().for_each(|arg| release(py, Some(arg))),
            Self::Tuple(args) => release(py, Some(args)),
        }
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Named(named) => {
                named.positional.traverse(visit)?;
                visit.call(&named.keywords)
            }
            Self::None => Ok(()),
            Self::One(arg) => visit.call(arg),
            Self::Two(args) => args.iter().try_for_each(|arg| visit.call(arg)),
            Self::Many(args) => args.iter().try_for_each(|arg| visit.call(arg)),
            Self::Tuple(args) => visit.call(args),
        }
    }
}

impl From<Bound<'_, PyTuple>> for Args {
    fn from(tuple: Bound<'_, PyTuple>) -> Self {
        Self::Tuple(tuple.unbind())
    }
}
