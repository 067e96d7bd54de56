//! A batch: items that will be asked for together.

use alloc::vec::Vec;

use slotmap::new_key_type;

use crate::agenda::Place;
use crate::frame::Serial;
use crate::host::Host;
use crate::task::TaskId;
use crate::waiter::Waiters;

new_key_type! {
    /// A batch that is not closed. The id of a closed one finds nothing.
    pub struct BatchId;
}

/// One item of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The batch it belongs to.
    pub batch: BatchId,
    /// Its place in the batch, from 0.
    pub index: u32,
}

/// Who says how urgent a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ranking {
    /// The number of its items, [`Priority::by_size`](crate::Priority::by_size).
    #[default]
    BySize,
    /// The front end, asked by [`Step::Rank`](crate::Step::Rank) whenever a batch is about to be
    /// chosen.
    Ask,
}

/// The node of one batch, from [`Engine::add_batch`](crate::Engine::add_batch) until
/// [`Engine::close`](crate::Engine::close).
pub(crate) struct Batch<H: Host> {
    pub(crate) payload: H::Batch,
    pub(crate) items: Vec<Item>,
    pub(crate) ranking: Ranking,
    pub(crate) state: BatchState<H::Priority>,
    /// The number of this batch: batches are numbered in the order in which they are opened.
    pub(crate) opened: u64,
    /// The innermost frame that needs one of its items; see [`crate::frame`].
    pub(crate) needed_by: Serial,
}

#[derive(Debug)]
pub(crate) enum BatchState<P> {
    /// Takes items; its place in the agenda of its frame.
    Open(Place<P>),
    /// The front end is flushing it, on this thread, now.
    Flushing,
    /// Its flush was sent and will be closed later: by the end of that task, or from outside.
    InFlight(Option<TaskId>),
}

#[derive(Debug)]
pub(crate) enum Item {
    Awaited(Waiters),
    Computed,
}
