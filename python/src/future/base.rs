//! `FutureBase`: the base class of futures, and its state.

use std::mem::ManuallyDrop;

use asynq_engine::TaskId;
use pyo3::prelude::*;

use crate::ffi::deferred_drop::{defer_drop, release};
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::object_memory::HotClass;
use crate::future::outcome::Outcome;

/// Kind of a future, which decides how it is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody sets its value, or its class overrides `_compute`.
    Plain,
    /// It calls a function for its value.
    Lazy,
    /// It has its value from the beginning.
    Constant,
    Task,
    Batch,
    Item,
    /// An awaitable of asyncio, which its event loop runs.
    Foreign,
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
pub(crate) struct FutureBase(pub(crate) GilCell<Future>);

has_state!(FutureBase: Future);

impl HotClass for FutureBase {
    type Base = PyAny;

    #[inline]
    fn give_up(self, py: Python<'_>) {
        // Not by its destructor, which has no token.
        let mut this = ManuallyDrop::new(self);
        let state = this.0.get_mut();
        std::mem::take(&mut state.outcome).release(py);
        release(py, state.on_computed.take());
    }
}

/// State of a [`FutureBase`].
pub(crate) struct Future {
    pub(crate) outcome: Outcome,
    pub(crate) on_computed: Option<Py<PyAny>>,
    pub(crate) kind: Kind,
    /// It is an item off the collector's lists; see [`gc_tracking`].
    pub(crate) item_tracking_paused: bool,
    /// Number of the scheduler that knows this future, 0 for none.
    pub(crate) scheduler_id: u32,
    /// Id of this future in the engine of that scheduler.
    pub(crate) engine_id: Option<TaskId>,
}

impl Future {
    /// Returns whether the value cannot refer to other objects, and nobody subscribed to it.
    #[inline]
    pub(crate) fn has_leaf_value(&self, py: Python<'_>) -> bool {
        self.on_computed.is_none()
            && matches!(&self.outcome, Outcome::Value(value) if gc_tracking::is_leaf(value.bind(py)))
    }
}

impl FutureBase {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(GilCell::new(Future {
            outcome: Outcome::Pending,
            on_computed: None,
            kind,
            item_tracking_paused: false,
            scheduler_id: 0,
            engine_id: None,
        }))
    }

    pub(crate) fn is_pending(slf: &Bound<'_, Self>) -> bool {
        slf.state().outcome.is_pending()
    }

    /// Returns the value of a future that has one.
    #[inline]
    pub(crate) fn known_value<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        match &slf.state().outcome {
            Outcome::Value(value) => Some(value.bind(slf.py()).clone()),
            Outcome::Pending | Outcome::Error(..) => None,
        }
    }

    /// Returns the value or error of a future; `None` if it is pending.
    pub(crate) fn outcome<'py>(slf: &Bound<'py, Self>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let py = slf.py();
        let failed = {
            let state = slf.state();
            match &state.outcome {
                Outcome::Pending => return None,
                Outcome::Value(value) => return Some(Ok(value.bind(py).clone())),
                Outcome::Error(failure) => Outcome::Error(Box::new(failure.clone_ref(py))),
            }
        };
        failed.get(py)
    }

    /// Returns whether the value cannot refer to other objects, and nobody subscribed to it.
    pub(crate) fn has_leaf_value(slf: &Bound<'_, Self>) -> bool {
        slf.state().has_leaf_value(slf.py())
    }

    /// Forgets the scheduler that knew this future.
    pub(crate) fn forget_scheduler(slf: &Bound<'_, Self>) {
        let mut state = slf.state();
        state.scheduler_id = 0;
        state.engine_id = None;
    }
}

impl Drop for FutureBase {
    fn drop(&mut self) {
        let state = self.0.get_mut();
        std::mem::take(&mut state.outcome).defer_drop();
        defer_drop(state.on_computed.take());
    }
}
