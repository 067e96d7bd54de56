//! Failures of batch functions: of whole parts, and of single keys.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use super::error::LoadError;
use super::key::{Key, name};
use crate::batch::BoxError;
use crate::error::TaskError;

/// Failure of a whole part.
pub(super) enum Failure {
    Error(Arc<dyn Error + Send + Sync>),
    Panic(TaskError),
}

impl Failure {
    pub(super) fn error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Error(error) => &**error,
            Self::Panic(panic) => panic,
        }
    }
}

/// Returns the value or error of a key for which the function has returned `answer`. `default` is for keys that are
/// missing.
#[inline]
pub(super) fn outcome<K: Key, V>(
    key: &K,
    answer: Option<Result<V, BoxError>>,
    default: Option<&(impl Fn(&K) -> V + ?Sized)>,
) -> Result<V, LoadError> {
    match (answer, default) {
        (Some(Ok(value)), _) => Ok(value),
        (Some(Err(error)), _) => Err(LoadError::Failed { key: name(key), error: error.into() }),
        (None, Some(default)) => Ok(default(key)),
        (None, None) => Err(LoadError::Missing { key: name(key) }),
    }
}

/// Awaits `future`, and returns its output or the payload of its panic.
pub(super) async fn catch<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}
