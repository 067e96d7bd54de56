//! The state of a synchronous call whose body is on the stack of its caller.

use std::cell::{Cell, RefCell};

use asynq_engine::TaskId;

use crate::task::computation::AnyComputation;

/// The innermost of these calls.
pub(super) struct StackCall {
    /// Index of a call that the engine does not know among those that are polled in place: so far, it is one.
    unentered: Cell<usize>,
    /// Calls that the engine came to know in the polls that are in progress, the innermost last.
    entered: RefCell<Vec<Entered>>,
}

/// A call that the engine knows.
pub(super) struct Entered {
    pub(super) id: TaskId,
    pub(super) root: AnyComputation,
    /// The task that called.
    pub(super) caller: Option<AnyComputation>,
}

const NONE: usize = usize::MAX;

impl Default for StackCall {
    fn default() -> Self {
        Self { unentered: Cell::new(NONE), entered: RefCell::default() }
    }
}

impl StackCall {
    #[inline]
    pub(super) fn begin(&self, index: usize) {
        self.unentered.set(index);
    }

    #[inline]
    pub(super) fn is_unentered(&self) -> bool {
        self.unentered.get() != NONE
    }

    /// Notes that the engine knows the call.
    pub(super) fn enter(&self, call: Entered) {
        self.entered.borrow_mut().push(call);
    }

    /// Takes the call that was polled last, which the engine knows.
    pub(super) fn take_entered(&self) -> Entered {
        self.entered.borrow_mut().pop().expect("the engine knows it")
    }

    /// Takes the index of a call that the engine does not know, which now comes to know it or does not need to.
    #[inline]
    pub(super) fn take_unentered(&self) -> usize {
        self.unentered.replace(NONE)
    }
}
