//! The calls that are being polled in place.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use crate::call_stack::{CallInPlace, Creator, Site};

/// The calls that are being polled in place.
#[derive(Default)]
pub(super) struct CallsInPlace {
    /// The innermost is last.
    pub(super) calls: RefCell<Vec<InPlace>>,
    /// Number of calls that the code which runs now is not part of.
    pub(super) outer: Cell<usize>,
    /// The calls that wait, of the polls that are in progress. An inner call is before the one around it.
    pub(super) waiting: RefCell<Vec<CallInPlace>>,
}

pub(super) struct InPlace {
    pub(super) site: &'static Site,
    pub(super) at: &'static Location<'static>,
    /// The code around it, as a creator, once something was created.
    pub(super) caller: Option<Rc<Creator>>,
}

/// Guard of code that is not part of the calls around it: the poll of a task, the drive of a frame.
pub(super) struct Apart<'s> {
    calls: &'s CallsInPlace,
    outer: usize,
    waiting: usize,
}

impl CallsInPlace {
    /// Begins a poll that may be part of the calls which are being polled.
    #[inline]
    pub(super) fn mark(&self) -> Apart<'_> {
        Apart { calls: self, outer: self.outer.get(), waiting: self.waiting.borrow().len() }
    }

    /// Begins code that is not part of the calls which are being polled.
    #[inline]
    pub(super) fn apart(&self) -> Apart<'_> {
        let outer = self.outer.replace(self.calls.borrow().len());
        Apart { calls: self, outer, waiting: self.waiting.borrow().len() }
    }
}

impl Apart<'_> {
    /// Takes the calls that wait, of the poll of a task that has ended.
    #[inline]
    pub(super) fn take_waiting(&self, take: impl FnOnce(&[CallInPlace])) {
        let mut waiting = self.calls.waiting.borrow_mut();
        take(&waiting[self.waiting..]);
        waiting.truncate(self.waiting);
    }
}

impl Drop for Apart<'_> {
    #[inline]
    fn drop(&mut self) {
        self.calls.outer.set(self.outer);
    }
}
