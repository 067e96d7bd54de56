//! The value that a flush returns: it is done, or it goes on as a future.

use std::future::Future;
use std::pin::Pin;

use super::error::BoxError;

#[doc(hidden)]
pub enum FlushStep {
    Done(Result<(), BoxError>),
    Later(Pin<Box<dyn Future<Output = Result<(), BoxError>>>>),
}

impl FlushStep {
    pub(crate) const DONE: Self = Self::Done(Ok(()));

    pub(crate) fn later(rest: impl Future<Output = ()> + 'static) -> Self {
        Self::Later(Box::pin(async move {
            rest.await;
            Ok(())
        }))
    }
}
