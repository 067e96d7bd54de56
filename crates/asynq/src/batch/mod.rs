//! Batching: sources that answer many keys at once, and futures of single values.
//!
//! A [`Batch`] describes a source, a [`Source`] collects the requested keys in its open batch, and a
//! [`BatchItem`] is the future of one value. Both the source and its items share a `BatchCell`, which
//! depends only on the types of keys and values.

mod cell;
mod duplicates;
mod error;
mod flush;
mod flush_step;
mod flushable;
mod handle;
mod item;
#[cfg(feature = "explain")]
mod replay;
mod sharing;
mod slot;
mod source;

pub use self::error::{BatchError, BatchErrorKind, BoxError};
pub(crate) use self::flush::Admitting;
pub use self::flush::{Batch, Flush, Item, Items, ItemsIter};
pub(crate) use self::flush_step::FlushStep;
pub use self::handle::BatchHandle;
pub use self::item::BatchItem;
pub(crate) use self::item::WeakItem;
pub use self::source::Source;
