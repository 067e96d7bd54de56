//! Why an item has no value.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::BoxError;
use crate::call_stack::AsynqStack;
use crate::error::TaskError;

/// Why an item of a batch has no value. Cheap to clone: all the items that failed together share
/// the cause.
#[derive(Clone, Debug)]
pub struct BatchError {
    batch: Arc<str>,
    index: u32,
    kind: BatchErrorKind,
    /// Where the item was asked for.
    stack: AsynqStack,
}

/// The kinds of [`BatchError`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BatchErrorKind {
    /// The flush, or this one item of it, failed.
    Failed(Arc<dyn Error + Send + Sync>),
    /// The flush ended well, but gave this item neither a value nor an error.
    NotSet,
    /// The batch was cancelled before it was flushed.
    Cancelled,
}

/// What is stored for an item without a value.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Error(BatchErrorKind),
    /// The flush panicked, and so does everyone who awaits the item.
    Panic(TaskError),
}

impl Failure {
    pub(super) fn error(error: impl Into<BoxError>) -> Self {
        Self::Error(BatchErrorKind::Failed(Arc::from(error.into())))
    }
}

impl BatchError {
    pub(super) fn new(batch: String, index: u32, kind: BatchErrorKind, stack: AsynqStack) -> Self {
        Self { batch: batch.into(), index, kind, stack }
    }

    /// The name of the batch.
    #[must_use]
    pub fn batch(&self) -> &str {
        &self.batch
    }

    /// The place of the item in its batch, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index as usize
    }

    /// What happened. Of a failure, [`source`](Error::source) is the error itself.
    #[must_use]
    pub fn kind(&self) -> &BatchErrorKind {
        &self.kind
    }

    /// Which async functions led to the one that awaited the item.
    #[must_use]
    pub fn stack(&self) -> &AsynqStack {
        &self.stack
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, index, .. } = self;
        match &self.kind {
            BatchErrorKind::Failed(error) => write!(f, "batch {batch}: {error}"),
            BatchErrorKind::NotSet => write!(
                f,
                "batch {batch}: its flush gave item {index} neither a value nor an error; call \
                 `set_value` or `set_error` for every item"
            ),
            BatchErrorKind::Cancelled => write!(f, "batch {batch}: cancelled before its flush"),
        }
    }
}

impl Error for BatchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            BatchErrorKind::Failed(error) => Some(&**error),
            BatchErrorKind::NotSet | BatchErrorKind::Cancelled => None,
        }
    }
}
