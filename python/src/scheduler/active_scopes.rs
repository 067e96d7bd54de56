//! The scopes that are active in a scheduler, taken from task to task.

use std::cell::{Cell, RefCell};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::scopes;

/// Host that drives the tasks of a scheduler.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Driver {
    #[default]
    Nothing,
    /// A synchronous call. All scopes follow the chains of contexts, those around the call, too.
    Call,
    /// An event loop. Scopes that were entered outside of tasks are those of whoever has made the task.
    EventLoop,
}

/// The active scopes of a scheduler.
#[derive(Default)]
pub(crate) struct ActiveScopes {
    driver: Cell<Driver>,
    /// Value of the variable for the task that runs next. On event loops it has the scopes that tasks
    /// have entered.
    active: RefCell<Option<Py<PyDict>>>,
    /// Value that was found last of which tasks have entered nothing.
    of_no_task: RefCell<Option<Py<PyDict>>>,
}

/// State of the driver around a driver.
pub(crate) struct Outer {
    driver: Driver,
    active: Option<Py<PyDict>>,
}

impl ActiveScopes {
    pub(crate) fn driver(&self) -> Driver {
        self.driver.get()
    }

    /// Begins a call or drive. Returns what [`end`](Self::end) needs.
    pub(crate) fn begin(&self, py: Python<'_>, driver: Driver) -> Outer {
        let active = if driver == Driver::Call { scopes::active(py) } else { None };
        Outer { driver: self.driver.replace(driver), active: self.active.replace(active) }
    }

    /// Ends a call or drive.
    pub(crate) fn end(&self, outer: Outer) {
        self.driver.set(outer.driver);
        let before = (self.active.replace(outer.active), self.of_no_task.take());
        drop(before);
    }

    /// Makes them visible in the context of the code that runs next.
    #[cold]
    pub(crate) fn bring(&self, py: Python<'_>) {
        let active = self.active.borrow().as_ref().map(|active| active.clone_ref(py));
        // It fails only if there is no memory for it.
        drop(match (self.driver.get(), active) {
            (Driver::Nothing, _) | (Driver::Call, None) => Ok(()),
            (Driver::Call, Some(active)) => scopes::activate(active.bind(py)),
            (Driver::EventLoop, None) if self.are_of_no_task(py) => Ok(()),
            (Driver::EventLoop, active) => {
                scopes::activate_of_tasks(py, active.as_ref().map(|active| active.bind(py)))
            }
        });
    }

    /// Notes those in the context of the code that has run.
    pub(crate) fn note(&self, py: Python<'_>) {
        let active = match self.driver.get() {
            Driver::Nothing => return,
            Driver::Call => scopes::active(py),
            Driver::EventLoop if self.are_of_no_task(py) => None,
            Driver::EventLoop => self.of_tasks(py),
        };
        let before = self.active.replace(active);
        drop(before);
    }

    /// Returns whether the value in this context is known as one of no task.
    fn are_of_no_task(&self, py: Python<'_>) -> bool {
        let known = self.of_no_task.borrow();
        scopes::active_scopes(py).is_ok_and(|active| {
            active.is_empty() || known.as_ref().is_some_and(|known| active.is(known))
        })
    }

    fn of_tasks(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        let of_tasks = scopes::active_of_tasks(py).ok()?;
        if !of_tasks.is_empty() {
            return Some(of_tasks.unbind());
        }
        let before = self.of_no_task.replace(scopes::active(py));
        drop(before);
        None
    }
}
