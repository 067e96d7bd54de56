//! A task: something that runs in steps, and between them waits for what it asked for.

use slotmap::new_key_type;

use crate::context::ContextId;
use crate::dependency::Dependencies;
use crate::frame::Serial;
use crate::host::Host;
use crate::ready::Ticket;
use crate::waiter::Waiters;

new_key_type! {
    /// A task or promise that has not ended. The id of one that has ended finds nothing.
    pub struct TaskId;
}

/// When a blocked task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When everything it asked for is there.
    All,
    /// When the first thing it asked for is there.
    Any,
    /// Likewise, or when [`Engine::wake`](crate::Engine::wake) says that something outside the
    /// engine happened.
    AnyOrWake,
}

/// The node of one task. It lives from [`Engine::add_task`](crate::Engine::add_task) until the
/// task has ended; the value is the front end's.
pub(crate) struct Task<H: Host> {
    pub(crate) payload: H::Task,
    pub(crate) state: State,
    /// What it waits for, while it is blocked.
    pub(crate) on: Dependencies,
    pub(crate) started: bool,
    pub(crate) waiters: Waiters,
    /// The innermost context this task runs under: its own, or that of the task that first
    /// awaited it.
    pub(crate) scope: Option<ContextId>,
    /// The innermost frame that needs this task; see [`crate::frame`].
    pub(crate) needed_by: Serial,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// Nobody has asked for it yet.
    New,
    /// In the ready list of its frame.
    Ready(Ticket),
    /// Running, or suspended in a synchronous call of its own.
    Running {
        /// Whether it was woken meanwhile, and so must not wait for what it asked for.
        woken: bool,
    },
    Blocked(Wait),
    /// What it waited for is there; [`Engine::next`](crate::Engine::next) will put it into the
    /// ready list together with the others that were woken.
    Woken {
        since: u64,
    },
    /// Not run by the engine: completed from outside.
    Promise,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// How many more completions it takes to go on.
    pub(crate) pending: u32,
    /// The number of this wait: waits are numbered in the order in which they begin.
    pub(crate) since: u64,
    pub(crate) until: Until,
}

impl<H: Host> Task<H> {
    pub(crate) fn new(payload: H::Task, state: State) -> Self {
        Self {
            payload,
            state,
            on: Dependencies::None,
            started: false,
            waiters: Waiters::NONE,
            scope: None,
            needed_by: Serial::NONE,
        }
    }

    /// Whether nobody has asked for it yet.
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(self.state, State::New) && self.needed_by == Serial::NONE
    }
}
