//! Tasks as futures.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::handle::AsyncTask;
use crate::futures::{FutureBase, joins_as_itself};
use crate::scheduler::{self, Request, Requester};

impl<T: 'static> FutureBase for AsyncTask<T> {
    joins_as_itself!();

    #[inline]
    fn is_computed(&self) -> bool {
        self.cell.is_computed()
    }

    fn value(self) -> T {
        match self.outcome() {
            Ok(value) => value,
            Err(error) => scheduler::throw(error),
        }
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.add_callback(callback);
    }
}

impl<T: 'static> Request for AsyncTask<T> {
    #[inline]
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.request_value(requester)
    }

    fn take(&mut self) -> T {
        self.result().unwrap_or_else(|error| scheduler::throw(error))
    }
}

impl<T: 'static> Future for AsyncTask<T> {
    type Output = T;

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        scheduler::poll(&mut *self, cx)
    }
}
