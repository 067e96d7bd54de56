//! Batching: sources that answer many keys at once, asked for one key at a time.
//!
//! A [`Batch`] says how; a [`Source`] is one thing to ask, with the batch that is open; a
//! [`BatchItem`] is one key that was asked for.

mod cell;
mod error;
mod item;
mod items;
mod source;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use asynq_engine::TaskId;

pub use self::cell::BatchHandle;
pub use self::error::{BatchError, BatchErrorKind};
pub use self::item::BatchItem;
pub(crate) use self::item::WeakBatch;
pub use self::items::{Item, Items, ItemsIter};
pub use self::source::Source;

/// An error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A source of values that is asked for many keys at once.
///
/// ```
/// use asynq::{Batch, FutureBase, Items, Source, all};
/// use std::rc::Rc;
///
/// struct Squares;
///
/// impl Batch for Squares {
///     type Key = u64;
///     type Value = u64;
///     type Flush = ();
///
///     fn flush(self: Rc<Self>, items: Items<Self>) {
///         println!("{} squares at once", items.len());
///         for item in &items {
///             item.set_value(item.key() * item.key());
///         }
///     }
/// }
///
/// let squares = Source::new(Squares);
/// let values = all((1..=3).map(|n| squares.item(n))).value();
/// assert_eq!(values.into_iter().map(Result::unwrap).sum::<u64>(), 14);
/// ```
pub trait Batch: Sized + 'static {
    /// What is asked for.
    type Key: 'static;
    /// What comes back for one key.
    type Value: 'static;
    /// What [`flush`](Self::flush) returns: `()`, a `Result` whose error becomes that of every item
    /// without a value, or the boxed future of one of these (`Pin<Box<dyn Future<..>>>`) for a flush
    /// that awaits something.
    type Flush: Flush;

    /// Asks for all the keys, and gives each item its value or error, in any order. Equal keys come
    /// as often as they were asked for.
    ///
    /// An item left without either gets an error that names this batch. A panic reaches every task
    /// that waits for an item without a value.
    fn flush(self: Rc<Self>, items: Items<Self>) -> Self::Flush;

    /// What errors and reports call this source: by default the name of the type.
    fn name(&self) -> String {
        short_name(std::any::type_name::<Self>())
    }

    /// How urgent its batches are; asked for when a batch is opened. When nothing can run, a batch
    /// of the highest priority is flushed; among equals the one with the most items, then the one
    /// that was opened first.
    fn priority(&self) -> i64 {
        0
    }
}

/// `a::b::C<d::E>` as `C<E>`.
pub(crate) fn short_name(path: &str) -> String {
    path.split_inclusive(['<', '>', ',', ' ', '(', ')', '[', ']', '&'])
        .map(|part| part.rsplit("::").next().unwrap_or(part))
        .collect()
}

/// What a [`flush`](Batch::flush) may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a flush returns",
    note = "use `()`, `Result<(), E>`, or `Pin<Box<dyn Future<Output = ..>>>` of one of these"
)]
pub trait Flush: 'static {
    #[doc(hidden)]
    fn into_step(self) -> FlushStep;
}

#[doc(hidden)]
pub enum FlushStep {
    Done(Result<(), BoxError>),
    Later(Pin<Box<dyn Future<Output = Result<(), BoxError>>>>),
}

impl Flush for () {
    fn into_step(self) -> FlushStep {
        FlushStep::Done(Ok(()))
    }
}

impl<E: Into<BoxError> + 'static> Flush for Result<(), E> {
    fn into_step(self) -> FlushStep {
        FlushStep::Done(self.map_err(Into::into))
    }
}

impl<R: Flush> Flush for Pin<Box<dyn Future<Output = R>>> {
    fn into_step(self) -> FlushStep {
        FlushStep::Later(Box::pin(async move {
            match self.await.into_step() {
                FlushStep::Done(result) => result,
                FlushStep::Later(rest) => rest.await,
            }
        }))
    }
}

/// What the scheduler knows of a batch.
pub(crate) trait Flushable {
    /// Flushes the batch. If the flush goes on, returns the task that will end it.
    fn flush(self: Rc<Self>) -> Option<TaskId>;
    /// Tells the engine of the values that there are, and from now on of each at once.
    fn tell_at_once(&self);
    fn name(&self) -> String;
    fn base_priority(&self) -> i64;
    fn len(&self) -> usize;
}
