//! The types that a front end puts into the engine: its tasks, batches, contexts and priorities.

use core::fmt;

/// The payload types of a front end.
///
/// The engine stores these values and hands them back; it never looks inside. Tasks and batches
/// are handed back when they end. A context may be dropped inside any call of the engine, when the
/// last task that could return to it has ended: a front end whose contexts run code of its users
/// when they are dropped gives the engine a weak reference.
pub trait Host {
    /// The value that the front end needs to run a task: a future, a generator.
    type Task;
    /// The value that the front end needs to flush a batch.
    type Batch;
    /// The value that the front end needs to pause and resume a context.
    type Context;
    /// The order in which batches are flushed: the greatest goes first.
    type Priority: Priority;
}

/// The priority of a batch among those that could be flushed.
pub trait Priority: Ord + Clone + fmt::Debug {
    /// The priority of a batch that has `items` items and the rule
    /// [`BySize`](crate::PriorityRule::BySize).
    fn by_size(items: usize) -> Self;
}

/// The default of the contract: a base (0 unless the source says otherwise), then the number of
/// items.
impl Priority for (i64, usize) {
    fn by_size(items: usize) -> Self {
        (0, items)
    }
}
