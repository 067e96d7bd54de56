//! The node of a task: something that runs in steps, and between them waits.

use slotmap::SlotMap;

use crate::dependency::Dependencies;
use crate::host::Host;
use crate::id::{ContextId, FrameId, Stamp, TaskId};
use crate::waiter::{Waiter, Waiters};

/// The condition under which a blocked task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Everything that the task depends on is computed.
    All,
    /// At least one thing that the task depends on is computed.
    Any,
    /// The same as [`Any`](Self::Any), or [`Engine::wake`](crate::Engine::wake) says that
    /// something outside the engine happened.
    AnyOrWake,
}

pub(crate) type Tasks<H> = SlotMap<TaskId, Task<H>>;

/// The node of one task. It lives from [`Engine::add_task`](crate::Engine::add_task) until the
/// task has ended; the value is the front end's.
pub(crate) struct Task<H: Host> {
    pub(crate) payload: H::Task,
    /// The latest wait, or entry in a list of ready tasks. An edge or entry with another one is stale.
    pub(crate) stamp: Stamp,
    /// The innermost frame that needs this task; see [`crate::frame`].
    pub(crate) needed_by: FrameId,
    /// The innermost context this task runs under: its own, or that of the task that first
    /// awaited it.
    pub(crate) scope: Option<ContextId>,
    pub(crate) waiters: Waiters,
    /// The things it waits for, while it is blocked.
    pub(crate) dependencies: Dependencies,
    /// While it is blocked, the number of completions that it still needs to go on. When it was
    /// woken, its index among those that were.
    pub(crate) count: u32,
    pub(crate) state: State,
    pub(crate) started: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not started, and in no list of ready tasks.
    New,
    /// In the ready list of its frame, or among those that were woken since the last step.
    Ready,
    /// Running, or suspended in a synchronous call of its own.
    Running {
        /// It was woken meanwhile, so it must not wait when it blocks.
        woken: bool,
    },
    Blocked(Until),
    /// Not run by the engine: completed from outside.
    Promise,
}

impl<H: Host> Task<H> {
    pub(crate) fn new(payload: H::Task, state: State) -> Self {
        Self {
            payload,
            stamp: Stamp::NONE,
            needed_by: FrameId::NONE,
            scope: None,
            waiters: Waiters::NONE,
            dependencies: Dependencies::None,
            count: 0,
            state,
            started: false,
        }
    }

    /// Returns whether no task has depended on it and no call needed it yet.
    pub(crate) fn is_unclaimed(&self) -> bool {
        self.state == State::New && self.needed_by == FrameId::NONE
    }
}

/// Returns whether the wait of an edge has ended.
pub(crate) fn is_stale<H: Host>(tasks: &Tasks<H>, waiter: Waiter) -> bool {
    !tasks
        .get(waiter.task)
        .is_some_and(|task| task.stamp == waiter.stamp && matches!(task.state, State::Blocked(_)))
}
