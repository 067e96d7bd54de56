//! The event listeners of a scheduler, and the names that their events use.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use asynq_engine::{BatchId, ContextId, TaskId};
use foldhash::fast::RandomState;

use super::event::Event;
use crate::call_stack::Call;

/// Callback for the events of a scheduler.
pub(super) type Listener = RefCell<dyn FnMut(&Event)>;

/// The event listeners of a scheduler.
#[derive(Default)]
pub(crate) struct EventListeners {
    /// Set when there may be a listener.
    present: Cell<bool>,
    /// Set while listeners are being called.
    calling: Cell<bool>,
    listeners: RefCell<Vec<Weak<Listener>>>,
    pub(crate) names: RefCell<Names>,
}

/// Names of tasks, batches and contexts that may have ended before their events are reported. Each
/// is removed when its end is reported.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) tasks: HashMap<TaskId, Call, RandomState>,
    /// Messages of tasks that are about to end without a value.
    pub(crate) failures: HashMap<TaskId, String, RandomState>,
    pub(crate) batches: HashMap<BatchId, Rc<str>, RandomState>,
    /// Batches whose flush was reported.
    pub(crate) flushing: HashSet<BatchId, RandomState>,
    pub(crate) contexts: HashMap<ContextId, Rc<str>, RandomState>,
}

impl EventListeners {
    pub(super) fn add(&self, listener: &Rc<Listener>) {
        self.listeners.borrow_mut().push(Rc::downgrade(listener));
        self.present.set(true);
    }

    /// Returns whether there may be a listener.
    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        self.present.get()
    }

    /// Removes listeners that were dropped, and all names with the last one. Returns whether any is
    /// left.
    pub(crate) fn retain_living(&self) -> bool {
        let is_empty = {
            let mut listeners = self.listeners.borrow_mut();
            listeners.retain(|listener| listener.strong_count() > 0);
            listeners.is_empty()
        };
        if is_empty {
            self.present.set(false);
            self.names.take();
        }
        !is_empty
    }

    fn living(&self) -> Vec<Rc<Listener>> {
        self.listeners.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Calls every listener with each of `events`. Steps that a listener causes itself are not
    /// reported.
    pub(crate) fn call(&self, events: &[Event]) {
        if self.calling.replace(true) {
            return;
        }
        for event in events {
            for listener in self.living() {
                // No caller could handle its panic, which the panic hook has printed.
                drop(catch_unwind(AssertUnwindSafe(move || (listener.borrow_mut())(event))));
            }
        }
        self.calling.set(false);
    }
}
