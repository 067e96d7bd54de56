//! The node of a task: something that runs in steps, and between them waits.

use slotmap::SlotMap;

use crate::dependency::Dependencies;
use crate::host::Host;
use crate::id::{ContextId, FrameId, Generation, TaskId, WaitId};
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
    pub(crate) state: State,
    /// The things it waits for, while it is blocked.
    pub(crate) dependencies: Dependencies,
    pub(crate) started: bool,
    pub(crate) waiters: Waiters,
    /// The innermost context this task runs under: its own, or that of the task that first
    /// awaited it.
    pub(crate) scope: Option<ContextId>,
    /// The innermost frame that needs this task; see [`crate::frame`].
    pub(crate) needed_by: FrameId,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// Not started, and in no list of ready tasks.
    New,
    /// In the ready list of its frame.
    Ready(Generation),
    /// Running, or suspended in a synchronous call of its own.
    Running {
        /// It was woken meanwhile, so it must not wait when it blocks.
        woken: bool,
    },
    Blocked(Wait),
    /// All it waited for is computed; the next step puts it into the ready list, together with
    /// the others that were woken.
    Woken {
        wait_id: WaitId,
    },
    /// Not run by the engine: completed from outside.
    Promise,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// Number of completions that the task still needs to go on.
    pub(crate) pending: u32,
    pub(crate) id: WaitId,
    pub(crate) until: Until,
}

impl<H: Host> Task<H> {
    pub(crate) fn new(payload: H::Task, state: State) -> Self {
        Self {
            payload,
            state,
            dependencies: Dependencies::None,
            started: false,
            waiters: Waiters::NONE,
            scope: None,
            needed_by: FrameId::NONE,
        }
    }

    /// Returns whether no task has depended on it and no call needed it yet.
    pub(crate) fn is_unclaimed(&self) -> bool {
        matches!(self.state, State::New) && self.needed_by == FrameId::NONE
    }

    /// Returns whether it is blocked in the wait `wait_id`, which tells a live edge from a stale
    /// one.
    fn is_in_wait(&self, wait_id: WaitId) -> bool {
        matches!(self.state, State::Blocked(wait) if wait.id == wait_id)
    }
}

/// Returns whether the wait of an edge has ended.
pub(crate) fn is_stale<H: Host>(tasks: &Tasks<H>, waiter: Waiter) -> bool {
    !tasks.get(waiter.task).is_some_and(|task| task.is_in_wait(waiter.wait_id))
}
