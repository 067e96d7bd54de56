//! The errors of items.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::call_stack::AsynqStack;
use crate::error::TaskError;

/// An error of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Error of an item of a batch. Cheap to clone: the items that failed together share the cause.
#[derive(Clone)]
pub struct BatchError {
    // One word, because the future of each item returns a `Result` of it.
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    batch: String,
    index: u32,
    kind: BatchErrorKind,
    /// Stack of the task that awaited the item.
    stack: AsynqStack,
}

/// Kind of a [`BatchError`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BatchErrorKind {
    /// The flush failed, or set this error for the item.
    Failed(Arc<dyn Error + Send + Sync>),
    /// The flush succeeded, but set neither a value nor an error for the item.
    NotSet,
    /// The batch was cancelled before it was flushed.
    Cancelled,
}

/// Failure in the slot of an item.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Error(BatchErrorKind),
    /// The flush panicked, and so does every task that awaits the item.
    Panic(TaskError),
}

impl Failure {
    pub(super) fn error(error: impl Into<BoxError>) -> Self {
        Self::Error(BatchErrorKind::Failed(Arc::from(error.into())))
    }

    /// Returns the error of a flush that has failed as a whole, as text.
    pub(super) fn of_flush(&self) -> Option<String> {
        match self {
            Self::Error(BatchErrorKind::Failed(error)) => Some(error.to_string()),
            Self::Error(_) => None,
            Self::Panic(panic) => Some(panic.message().to_owned()),
        }
    }
}

impl BatchError {
    pub(crate) fn new(batch: String, index: u32, kind: BatchErrorKind, stack: AsynqStack) -> Self {
        Self { inner: Arc::new(Inner { batch, index, kind, stack }) }
    }

    /// Returns the name of the source.
    #[must_use]
    pub fn batch(&self) -> &str {
        &self.inner.batch
    }

    /// Returns the index of the item in its batch.
    #[must_use]
    pub fn index(&self) -> usize {
        self.inner.index as usize
    }

    /// Returns the kind of the error. The error of the flush is its [`source`](Error::source).
    #[must_use]
    pub fn kind(&self) -> &BatchErrorKind {
        &self.inner.kind
    }

    /// Returns the asynq stack of the task that awaited the item.
    #[must_use]
    pub fn stack(&self) -> &AsynqStack {
        &self.inner.stack
    }
}

impl fmt::Debug for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { batch, index, kind, stack } = &*self.inner;
        f.debug_struct("BatchError")
            .field("batch", batch)
            .field("index", index)
            .field("kind", kind)
            .field("stack", stack)
            .finish()
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { batch, index, kind, .. } = &*self.inner;
        match kind {
            BatchErrorKind::Failed(error) => write!(f, "batch {batch}: {error}"),
            BatchErrorKind::NotSet => write!(
                f,
                "batch {batch}: its flush gave item {index} neither a value nor an error; call \
                 `set_value` or `set_error` for every item"
            ),
            BatchErrorKind::Cancelled => {
                write!(f, "batch {batch}: cancelled before its flush")
            }
        }
    }
}

impl Error for BatchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.kind {
            BatchErrorKind::Failed(error) => Some(&**error),
            BatchErrorKind::NotSet | BatchErrorKind::Cancelled => None,
        }
    }
}
