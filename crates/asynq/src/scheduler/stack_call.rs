//! The state of a synchronous call whose body is on the stack of its caller.

use std::cell::Cell;
use std::panic::Location;

use asynq_engine::TaskId;

use crate::call_stack::Site;
use crate::task::computation::AnyComputation;

/// The innermost of these calls.
#[derive(Default)]
pub(super) struct StackCall {
    pub(super) unentered: Cell<Option<Unentered>>,
    pub(super) entered: Cell<Option<Entered>>,
}

/// A call that the engine does not know yet.
#[derive(Clone, Copy)]
pub(super) struct Unentered {
    pub(super) site: &'static Site,
    /// Place of the call.
    pub(super) at: &'static Location<'static>,
    /// Its index among the calls that are polled in place: so far, it is one.
    pub(super) index: usize,
}

/// A call that the engine knows.
pub(super) struct Entered {
    pub(super) id: TaskId,
    pub(super) root: AnyComputation,
    /// The task that called.
    pub(super) caller: Option<AnyComputation>,
}
