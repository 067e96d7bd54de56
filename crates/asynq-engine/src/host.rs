//! What a front end puts into the engine: its own types of task, batch, context and priority.

use core::fmt;

/// The payload types of a front end.
///
/// The engine stores these values and hands them back; it never looks inside. A context may be
/// dropped inside any call of the engine, when the last task that could return to it has ended: a
/// front end whose contexts run code of its users when they are dropped gives the engine a weak
/// reference. Tasks and batches are handed back.
pub trait Host {
    /// What the front end needs in order to run a task: a future, a generator.
    type Task;
    /// What the front end needs in order to flush a batch.
    type Batch;
    /// What the front end needs in order to pause and resume a context.
    type Context;
    /// How batches are compared when one of them has to be flushed; the greatest goes first.
    type Priority: Priority;
}

/// The rank of a batch among those that could be flushed.
pub trait Priority: Ord + Clone + fmt::Debug {
    /// The rank of a batch that has `items` items and asked for nothing special.
    fn by_size(items: usize) -> Self;
}

/// The default of the contract: a base (0 unless the source says otherwise), then the number of
/// items.
impl Priority for (i64, usize) {
    fn by_size(items: usize) -> Self {
        (0, items)
    }
}
