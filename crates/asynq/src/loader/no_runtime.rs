//! Replaces `runtime` where no feature needs tokio.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};

#[derive(Clone)]
pub(super) struct Runtime(Infallible);

impl Runtime {
    pub(super) fn current() -> Option<Self> {
        None
    }

    pub(super) fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {
        match self.0 {}
    }

    pub(super) fn has_threads(&self) -> bool {
        match self.0 {}
    }
}

pub(super) fn turn() -> Ready<()> {
    ready(())
}
