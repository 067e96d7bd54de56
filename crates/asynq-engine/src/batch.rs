//! The node of a batch: items that are flushed together.

use slotmap::SlotMap;

use crate::host::Host;
use crate::id::{BatchId, ContextId, FrameId, TaskId};
use crate::items::Items;

/// The rule that gives a batch its priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PriorityRule {
    /// The number of its items, [`Priority::by_size`](crate::Priority::by_size).
    #[default]
    BySize,
    /// The front end's answer to [`Step::Priority`](crate::Step::Priority), which the engine asks
    /// for whenever a batch is about to be chosen.
    Ask,
    /// The front end's answer, which counts until the batch has grown. The engine does not ask while
    /// there is nothing else to flush, unless it [records](crate::Engine::listen) events.
    AskWhenGrown,
}

pub(crate) type Batches<H> = SlotMap<BatchId, Batch<H>>;

/// The node of one batch, from [`Engine::add_batch`](crate::Engine::add_batch) until
/// [`Engine::close`](crate::Engine::close).
pub(crate) struct Batch<H: Host> {
    pub(crate) payload: H::Batch,
    pub(crate) items: Items,
    /// Number of items that are equal to others, and do not count.
    pub(crate) duplicates: usize,
    pub(crate) rule: PriorityRule,
    pub(crate) state: BatchState<H::Priority>,
    /// The number of this batch: batches are numbered in the order in which they are opened.
    pub(crate) opened: u64,
    /// The innermost frame that needs one of its items; see [`crate::frame`].
    pub(crate) needed_by: FrameId,
    /// The innermost context that is common to everybody who waits, and from the beginning of the
    /// flush on the one that the flush is under; see [`crate::flush_scope`].
    pub(crate) scope: Option<ContextId>,
    /// Somebody waits, so that `scope` means something.
    pub(crate) has_scope: bool,
    pub(crate) askers: Askers,
    /// Its flush is under no contexts but those of the call that drives it.
    pub(crate) is_limited_to_call: bool,
}

impl<H: Host> Batch<H> {
    /// Returns the number of items that count.
    pub(crate) fn count(&self) -> usize {
        self.items.len().saturating_sub(self.duplicates)
    }

    /// Returns whether one more who waits can change `scope`. Nearly always, nothing is in common
    /// after the first one already, since there are no contexts.
    #[inline]
    pub(crate) fn can_narrow(&self) -> bool {
        !self.has_scope || self.scope.is_some()
    }
}

/// Askers for the items of a batch that may not wait; see [`crate::flush_scope`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Askers {
    /// The scope of the batch counts them.
    Counted,
    /// Among them is code of no task, outside of contexts.
    Outside,
    /// The front end does not know them.
    Unknown,
}

#[derive(Debug)]
pub(crate) enum BatchState<P> {
    /// Takes items; its place in the flush queue of its frame.
    Open(QueuePlace<P>),
    /// The front end is flushing it, on this thread, now. Meanwhile others may begin to wait: this is
    /// the innermost context around the flush that is common to them, too.
    Flushing(Option<ContextId>),
    /// Its flush was sent and will be closed later: by the end of that task, or from outside.
    InFlight(Option<TaskId>),
}

/// The place of an open batch in the flush queue of its frame.
#[derive(Debug)]
pub(crate) enum QueuePlace<P> {
    /// In no queue: no item of the batch is awaited.
    Unlisted,
    /// Listed, with a priority that is not known yet, or not any more.
    Unsorted,
    /// Listed by this priority.
    Sorted(P),
}
