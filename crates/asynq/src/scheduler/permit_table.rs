//! The table of permits of loaders.

use std::collections::HashMap;

use asynq_engine::TaskId;
use asynq_loader::{ClaimId, Permits};

/// The permits of a thread, and the tasks that hold or wait for them.
#[derive(Default)]
pub(super) struct PermitTable {
    pub(super) permits: Permits,
    pub(super) claims: HashMap<ClaimId, Claimer>,
    pub(super) tasks: HashMap<TaskId, ClaimId>,
}

/// A task that claims permits.
pub(super) struct Claimer {
    pub(super) task: TaskId,
    /// Called when the permits are granted.
    pub(super) granted: Option<Box<dyn FnOnce()>>,
    pub(super) waits: OuterWait,
}

/// Wait of a task for parts of other calls, so that a limit is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OuterWait {
    None,
    Waits,
    /// They cannot end before this one, so the limit is exceeded.
    GivenUp,
}
