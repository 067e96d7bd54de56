//! `FutureBase`: the base class of futures, and its state.

use std::mem::{self, ManuallyDrop};

use asynq_engine::TaskId;
use pyo3::prelude::*;

use crate::ffi::cell_lock::CellLock;
use crate::ffi::deferred_drop::{defer_drop, release};
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{GilCell, Header, TakeState, has_state};
use crate::ffi::object_memory::HotClass;
use crate::ffi::small_cell::SmallCell;
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
pub(crate) struct FutureBase(pub(crate) GilCell<Future, Flags>);

has_state!(FutureBase: Future, Flags);

impl HotClass for FutureBase {
    type Base = PyAny;

    #[inline]
    fn give_up(self, py: Python<'_>) {
        // Not by its destructor, which has no token.
        let mut this = ManuallyDrop::new(self);
        let state = this.0.get_mut();
        let (outcome, on_computed) = state.take();
        outcome.release(py);
        release(py, on_computed);
    }
}

/// Small fields of a [`FutureBase`].
pub(crate) struct Flags {
    lock: CellLock,
    pub(crate) kind: Kind,
    /// It is an item off the collector's lists; see [`gc_tracking`].
    pub(crate) item_tracking_paused: SmallCell<bool>,
    /// Number of the scheduler that knows this future, 0 for none.
    pub(crate) scheduler_id: SmallCell<u32>,
}

impl Header for Flags {
    #[inline]
    fn lock(&self) -> &CellLock {
        &self.lock
    }
}

/// State of a [`FutureBase`].
pub(crate) struct Future {
    held: Held,
    /// Id of this future in the engine of the scheduler that knows it.
    pub(crate) engine_id: Option<TaskId>,
}

/// Contents of a future. Few have more than an outcome.
enum Held {
    Outcome(Outcome),
    More(Box<More>),
}

#[derive(Default)]
struct More {
    outcome: Outcome,
    on_computed: Option<Py<PyAny>>,
    profile: Profile,
}

/// Notes of the profiler about an item.
#[derive(Clone, Copy, Default)]
pub(crate) struct Profile {
    pub(crate) total_time: i64,
    pub(crate) id: i64,
}

impl Future {
    #[inline]
    pub(crate) fn outcome(&self) -> &Outcome {
        match &self.held {
            Held::Outcome(outcome) => outcome,
            Held::More(more) => &more.outcome,
        }
    }

    /// Sets the outcome. Returns the one before.
    #[inline]
    #[must_use]
    pub(crate) fn replace_outcome(&mut self, outcome: Outcome) -> Outcome {
        mem::replace(
            match &mut self.held {
                Held::Outcome(outcome) => outcome,
                Held::More(more) => &mut more.outcome,
            },
            outcome,
        )
    }

    /// Sets the outcome of a future that is pending.
    #[inline]
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        let before = self.replace_outcome(outcome);
        debug_assert!(before.is_pending(), "a future is resolved once");
    }

    /// Returns the event that is triggered when the future is computed.
    #[inline]
    pub(crate) fn on_computed(&self) -> Option<&Py<PyAny>> {
        match &self.held {
            Held::Outcome(_) => None,
            Held::More(more) => more.on_computed.as_ref(),
        }
    }

    /// Sets that event. Returns the one before.
    #[must_use]
    pub(crate) fn replace_on_computed(&mut self, hook: Py<PyAny>) -> Option<Py<PyAny>> {
        self.more().on_computed.replace(hook)
    }

    pub(crate) fn profile(&self) -> Profile {
        match &self.held {
            Held::Outcome(_) => Profile::default(),
            Held::More(more) => more.profile,
        }
    }

    pub(crate) fn profile_mut(&mut self) -> &mut Profile {
        &mut self.more().profile
    }

    fn more(&mut self) -> &mut More {
        if let Held::Outcome(outcome) = &mut self.held {
            let outcome = mem::take(outcome);
            self.held = Held::More(Box::new(More { outcome, ..More::default() }));
        }
        match &mut self.held {
            Held::More(more) => more,
            Held::Outcome(_) => unreachable!("it was replaced"),
        }
    }

    /// Takes everything: the outcome and the event are the caller's to give up.
    #[inline]
    pub(crate) fn take(&mut self) -> (Outcome, Option<Py<PyAny>>) {
        match mem::replace(&mut self.held, Held::Outcome(Outcome::Pending)) {
            Held::Outcome(outcome) => (outcome, None),
            Held::More(more) => (more.outcome, more.on_computed),
        }
    }

    /// Returns whether the value cannot refer to other objects, and nobody subscribed to it.
    #[inline]
    pub(crate) fn has_leaf_value(&self, py: Python<'_>) -> bool {
        self.on_computed().is_none()
            && matches!(self.outcome(), Outcome::Value(value) if gc_tracking::is_leaf(value.bind(py)))
    }
}

impl FutureBase {
    pub(crate) fn new(kind: Kind) -> Self {
        let flags = Flags {
            lock: CellLock::new(),
            kind,
            item_tracking_paused: SmallCell::new(false),
            scheduler_id: SmallCell::new(0),
        };
        let state = Future { held: Held::Outcome(Outcome::Pending), engine_id: None };
        Self(GilCell::with_header(state, flags))
    }

    pub(crate) fn is_pending(slf: &Bound<'_, Self>) -> bool {
        slf.state().outcome().is_pending()
    }

    /// Returns the value of a future that has one.
    #[inline]
    pub(crate) fn known_value<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        match slf.state().outcome() {
            Outcome::Value(value) => Some(value.bind(slf.py()).clone()),
            Outcome::Pending | Outcome::Error(..) => None,
        }
    }

    /// Returns the value or error of a future; `None` if it is pending.
    pub(crate) fn outcome<'py>(slf: &Bound<'py, Self>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let py = slf.py();
        let failed = {
            let state = slf.state();
            match state.outcome() {
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
        slf.header().scheduler_id.set(0);
        slf.state().engine_id = None;
    }
}

impl Drop for FutureBase {
    fn drop(&mut self) {
        let state = self.0.get_mut();
        let (outcome, on_computed) = state.take();
        outcome.defer_drop();
        defer_drop(on_computed);
    }
}
