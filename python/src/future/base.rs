//! `FutureBase`, what all futures share, and how a future is given its value.

use asynq_engine::TaskId;
use pyo3::exceptions::{PyException, PyNotImplementedError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::batch::base::{self as batch, BatchBase};
use crate::batch::item::BatchItemBase;
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::loader::load::Load;
use crate::options::Switches;
use crate::overrides::overrides;
use crate::scheduler::drive;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// What a future is, which decides how it comes to its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By whoever sets it, or by a `_compute` of its own.
    Plain,
    /// By calling something, when it is wanted.
    Lazy,
    /// It has its value from the beginning.
    Constant,
    Task,
    Batch,
    Item,
}

/// A value that may be computed later: the base of everything that a task can wait for.
///
/// `future.value()` gives the value, computing it if necessary, or raises the error.
///
/// Subclasses override `_compute()`, which has to call `set_value` or `set_error`. One that does
/// not is computed from outside: tasks that wait for it go on when somebody sets it.
///
/// >>> future = FutureBase()
/// >>> future.set_value(42)
/// >>> future.value()
/// 42
#[pyclass(frozen, subclass, module = "asynq.futures")]
pub(crate) struct FutureBase(GilCell<Future>);

/// What changes of a [`FutureBase`].
pub(crate) struct Future {
    pub(crate) outcome: Outcome,
    on_computed: Option<Py<PyAny>>,
    pub(crate) kind: Kind,
    /// Which thread's scheduler knows this future, 0 for none, and under which id.
    pub(crate) home: u32,
    pub(crate) node: Option<TaskId>,
}

impl FutureBase {
    pub(crate) fn state(&self) -> CellGuard<'_, Future> {
        self.0.take()
    }
}

impl FutureBase {
    /// Whether it has a value that cannot refer to others, and nobody who waits for it by a handler.
    pub(crate) fn has_leaf_value(slf: &Bound<'_, Self>) -> bool {
        let future = slf.get().state();
        future.on_computed.is_none()
            && matches!(&future.outcome, Outcome::Value(value) if gc_tracking::is_leaf(value.bind(slf.py())))
    }

    /// It has got a reference to something.
    fn no_leaf(slf: &Bound<'_, Self>) {
        if let Ok(task) = slf.cast::<AsyncTask>() {
            AsyncTask::no_leaf(task);
        } else if let Ok(load) = slf.cast_exact::<Load>() {
            BatchItemBase::resume_tracking(load.as_super());
        }
    }

    pub(crate) fn new(kind: Kind) -> Self {
        let future =
            Future { outcome: Outcome::Pending, on_computed: None, kind, home: 0, node: None };
        Self(GilCell::new(future))
    }
}

#[pymethods]
impl FutureBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::new(Kind::Plain)
    }

    #[pyo3(signature = ())]
    fn __init__(_slf: &Bound<'_, Self>) {}

    /// The value; computes it if necessary, and raises the error if that is what it comes to.
    pub(crate) fn value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = outcome(slf) {
            return value;
        }
        compute(slf)?;
        outcome(slf).unwrap_or_else(|| Err(left_pending(slf)))
    }

    /// The same as `value()`.
    #[pyo3(signature = (*_args, **_kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        _args: &Bound<'py, PyTuple>,
        _kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.call_method0(intern!(slf.py(), "value"))
    }

    /// The error, or `None` if there is a value; computes it if necessary.
    pub(crate) fn error(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        if slf.get().state().outcome.is_pending() {
            compute(slf)?;
        }
        Ok(slf.get().state().outcome.error().map(|error| error.clone_ref(py)))
    }

    /// Raises the error, if there is one.
    fn raise_if_error(slf: &Bound<'_, Self>) -> PyResult<()> {
        match outcome(slf) {
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives the future its value. Whoever waits for it goes on.
    ///
    /// Raises `FutureIsAlreadyComputed` if it has a value or an error.
    pub(crate) fn set_value(slf: &Bound<'_, Self>, value: Bound<'_, PyAny>) -> PyResult<()> {
        settle(slf, Outcome::Value(value.unbind()))
    }

    /// Gives the future an error, an exception. It is raised where the value is asked for.
    ///
    /// Raises `FutureIsAlreadyComputed` if it has a value or an error.
    pub(crate) fn set_error(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        settle(slf, Outcome::from_exception(error)?)
    }

    /// Whether there is a value or an error.
    fn is_computed(slf: &Bound<'_, Self>) -> bool {
        !slf.get().state().outcome.is_pending()
    }

    /// Forgets the value or error, so that the future can be computed once more. Normally there is
    /// no reason to do this.
    fn reset_unsafe(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut slf.get().state().outcome);
        before.defer_drop();
    }

    /// Override this to say how the value is computed; it has to set a value or an error.
    fn _compute(slf: &Bound<'_, Self>) -> PyResult<()> {
        native_compute(slf)
    }

    /// Called when a value or an error was set; it triggers `on_computed`.
    fn _computed(slf: &Bound<'_, Self>) -> PyResult<()> {
        native_computed(slf)
    }

    /// The event of being computed: `future.on_computed.subscribe(handler)` has
    /// `handler(future)` called.
    #[getter]
    fn on_computed<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let (hook, kind) = {
            let future = slf.get().state();
            (future.on_computed.as_ref().map(|hook| hook.bind(py).clone()), future.kind)
        };
        if let Some(hook) = hook {
            return Ok(hook);
        }
        Self::no_leaf(slf);
        let hook = match kind {
            Kind::Constant => imports::sinking_event_hook(py)?.clone(),
            _ => imports::event_hook(py)?.call0()?,
        };
        slf.get().state().on_computed = Some(hook.clone().unbind());
        Ok(hook)
    }

    #[setter]
    fn set_on_computed(slf: &Bound<'_, Self>, hook: Py<PyAny>) {
        Self::no_leaf(slf);
        let before = slf.get().state().on_computed.replace(hook);
        drop(before);
    }

    #[getter(_value)]
    fn raw_value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let value = match &slf.get().state().outcome {
            Outcome::Pending => None,
            Outcome::Value(value) => Some(value.bind(py).clone()),
            Outcome::Error(..) => Some(py.None().into_bound(py)),
        };
        value.map_or_else(|| imports::future_none(py).cloned(), Ok)
    }

    #[getter(_error)]
    fn raw_error(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().state().outcome.error().map(|error| error.clone_ref(slf.py()))
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "future_repr", (slf,))
    }

    /// Writes the future to `stdout`, `indent` levels to the right.
    #[pyo3(signature = (indent=0))]
    fn dump(slf: &Bound<'_, Self>, indent: usize) -> PyResult<()> {
        let function = match slf.get().state().kind {
            Kind::Task => "task_dump",
            Kind::Batch => "batch_dump",
            _ => "future_dump",
        };
        imports::describe(slf.py(), function, (slf, indent)).map(|_| ())
    }

    fn __bool__(_slf: &Bound<'_, Self>) -> PyResult<bool> {
        Err(PyTypeError::new_err(
            "Cannot convert FutureBase object to bool: did you forget to yield it, or to call \
             value()?",
        ))
    }

    /// `Class[T]` is for type checkers.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        imports::generic(cls, item)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(future) = self.0.try_take() else { return Ok(()) };
        match &future.outcome {
            Outcome::Pending => {}
            Outcome::Value(value) => visit.call(value)?,
            Outcome::Error(error, traceback) => {
                visit.call(error)?;
                visit.call(traceback)?;
            }
        }
        visit.call(&future.on_computed)
    }

    fn __clear__(&self) {
        let mut future = self.state();
        let before = (std::mem::take(&mut future.outcome), future.on_computed.take());
        drop(future);
        drop(before);
    }
}

impl Drop for FutureBase {
    fn drop(&mut self) {
        std::mem::take(&mut self.0.get_mut().outcome).defer_drop();
    }
}

/// The value or error of a future; `None` if it has neither.
pub(crate) fn outcome<'py>(future: &Bound<'py, FutureBase>) -> Option<PyResult<Bound<'py, PyAny>>> {
    let found = {
        let future_ref = future.get().state();
        match &future_ref.outcome {
            Outcome::Pending => return None,
            Outcome::Value(value) => return Some(Ok(value.bind(future.py()).clone())),
            Outcome::Error(error, traceback) => Outcome::Error(
                error.clone_ref(future.py()),
                traceback.as_ref().map(|traceback| traceback.clone_ref(future.py())),
            ),
        }
    };
    found.get(future.py())
}

/// Gives a future its value or error.
pub(crate) fn settle(future: &Bound<'_, FutureBase>, outcome: Outcome) -> PyResult<()> {
    settle_from(None, future, outcome)
}

/// Likewise, with the scheduler of this thread at hand.
pub(crate) fn settle_from(
    scheduler: Option<&Scheduler>,
    future: &Bound<'_, FutureBase>,
    outcome: Outcome,
) -> PyResult<()> {
    let (kind, home, node) = {
        let mut inner = future.get().state();
        if inner.outcome.is_pending() {
            inner.outcome = outcome;
            (inner.kind, inner.home, inner.node.take())
        } else {
            drop(inner);
            let py = future.py();
            return Err(PyErr::from_type(
                imports::already_computed(py)?.clone(),
                (future.clone().unbind(),),
            ));
        }
    };
    if kind == Kind::Task {
        AsyncTask::computed(future.cast::<AsyncTask>()?);
    }
    // Before any code of the user's: whatever that does, those who wait go on.
    if let Some(node) = node {
        match scheduler {
            Some(scheduler) if scheduler.home() == home => scheduler.complete_here(node),
            _ => Scheduler::complete(home, node),
        }
    } else if kind == Kind::Item {
        BatchItemBase::computed(future.cast::<BatchItemBase>()?);
    }
    if overrides::<FutureBase>(future.as_any(), intern!(future.py(), "_computed")) {
        future.call_method0(intern!(future.py(), "_computed")).map(|_| ())
    } else {
        native_computed(future)
    }
}

/// Asks a future for its value, in the way of its class.
fn compute(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let name = intern!(future.py(), "_compute");
    if overrides::<FutureBase>(future.as_any(), name) {
        future.call_method0(name).map(|_| ())
    } else {
        native_compute(future)
    }
}

fn native_compute(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let kind = future.get().state().kind;
    match kind {
        Kind::Plain | Kind::Constant => Err(PyNotImplementedError::new_err(
            "this future has no value yet, and no way to compute one: set_value() was not called, \
             and its class does not override _compute()",
        )),
        Kind::Lazy => crate::future::constants::compute_lazily(future),
        Kind::Task => drive::run(future.cast::<AsyncTask>()?),
        Kind::Batch => batch::compute(future.cast::<BatchBase>()?),
        Kind::Item => {
            if let Ok(load) = future.cast_exact::<Load>() {
                return Load::compute(load);
            }
            let batch = BatchItemBase::batch_of(future.cast::<BatchItemBase>()?)?;
            if !batch::is_flushed(&batch) {
                batch.call_method0(intern!(py, "flush"))?;
            }
            Ok(())
        }
    }
}

/// What follows when a future has got its value or error.
pub(crate) fn native_computed(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let (kind, hook) = {
        let inner = future.get().state();
        (inner.kind, inner.on_computed.as_ref().map(|hook| hook.clone_ref(py)))
    };
    let finished = match kind {
        Kind::Task => AsyncTask::finished(future.cast::<AsyncTask>()?),
        Kind::Batch => batch::computed(future.cast::<BatchBase>()?),
        Kind::Item | Kind::Plain | Kind::Lazy | Kind::Constant => Ok(()),
    };
    if Switches::on().has(Switches::DUMP_COMPUTED) {
        imports::trace(py, "computed", (future,));
    }
    if let Some(hook) = hook {
        // Whatever a subscriber does, the others are told, and whoever waits goes on.
        if let Err(error) = hook.call_method1(py, intern!(py, "safe_trigger"), (future,)) {
            if !error.is_instance_of::<PyException>(py) {
                return Err(error);
            }
            imports::trace(py, "callback_failed", (error.value(py),));
        }
    }
    finished
}

fn left_pending(future: &Bound<'_, FutureBase>) -> PyErr {
    let class = future.get_type();
    imports::new_error(
        imports::task_error,
        future.py(),
        format!("{class}: its _compute() set neither a value nor an error"),
    )
}
