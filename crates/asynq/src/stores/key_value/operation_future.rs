//! The future of an operation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::operation::{Operation, Reply};
use crate::batch::{BatchError, BatchErrorKind, BoxError};
use crate::futures::{FutureBase, joins_as_itself};
use crate::loader::{LoadError, LocalLoad};
use crate::scheduler::{self, Request, Requester};

/// Converts a reply to the value of a future.
pub(super) type Read<T> = fn(Reply) -> Result<T, BoxError>;

/// Future of an operation of a key-value store. Its error names the store and the key.
///
/// The operation joins its batch when it is requested, whether the future is awaited or not, as a
/// [`BatchItem`](crate::BatchItem) does.
#[must_use = "a batch is sent when one of its operations is awaited; await this one, or a later one"]
pub struct OperationFuture<T> {
    load: LocalLoad<Operation, Reply>,
    operation: Operation,
    read: Read<T>,
}

impl<T> OperationFuture<T> {
    pub(super) fn new(
        load: LocalLoad<Operation, Reply>,
        operation: Operation,
        read: Read<T>,
    ) -> Self {
        Self { load, operation, read }
    }

    /// Creates an error of an operation that has completed.
    pub(super) fn error(&self, error: BoxError) -> BatchError {
        let key = format!("{:?}", self.operation);
        let error = LoadError::Failed { key, error: error.into() };
        self.load.error(BatchErrorKind::Failed(Arc::new(error)))
    }
}

impl<T> Request for OperationFuture<T> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.load.request(requester)
    }

    fn take(&mut self) -> Result<T, BatchError> {
        (self.read)(self.load.take()?).map_err(|error| self.error(error))
    }
}

impl<T> Future for OperationFuture<T> {
    type Output = Result<T, BatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<T> FutureBase for OperationFuture<T> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.load.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.load.on_computed(callback);
    }
}

impl<T> fmt::Debug for OperationFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperationFuture").field(&self.operation).field(&self.load).finish()
    }
}
