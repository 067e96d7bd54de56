//! What was asked of a key-value store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::operation::{Operation, Reply};
use crate::batch::{BatchError, BatchErrorKind, BoxError};
use crate::futures::FutureBase;
use crate::loader::{Load, LoadError};
use crate::scheduler::{self, Request, Requester};

/// What becomes of a reply.
pub(super) type Read<T> = fn(Reply) -> Result<T, BoxError>;

/// What was asked of a key-value store, on its way: a future of it, or of an error that names the
/// store and the key.
///
/// It is part of its batch from when it is asked for, awaited or not, as a
/// [`BatchItem`](crate::BatchItem).
#[must_use = "a write goes out with what is awaited after it; alone, only if it is awaited itself"]
pub struct Asked<T> {
    load: Load<Operation, Reply>,
    operation: Operation,
    read: Read<T>,
}

impl<T> Asked<T> {
    pub(super) fn new(load: Load<Operation, Reply>, operation: Operation, read: Read<T>) -> Self {
        Self { load, operation, read }
    }

    /// An error of what was asked, once it is there.
    pub(super) fn error(&self, error: BoxError) -> BatchError {
        let key = format!("{:?}", self.operation);
        let error = LoadError::Failed { key, error: error.into() };
        self.load.error(BatchErrorKind::Failed(Arc::new(error)))
    }
}

impl<T> Request for Asked<T> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.load.request(requester)
    }

    fn take(&mut self) -> Result<T, BatchError> {
        (self.read)(self.load.take()?).map_err(|error| self.error(error))
    }
}

impl<T> Future for Asked<T> {
    type Output = Result<T, BatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<T> FutureBase for Asked<T> {
    fn is_computed(&self) -> bool {
        self.load.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.load.on_computed(callback);
    }
}

impl<T> fmt::Debug for Asked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asked").field(&self.operation).field(&self.load).finish()
    }
}
