//! Batch functions.

use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::loader::answer::Answer;
use crate::loader::function::{Async, Plain};

/// Function from many keys to an [`Answer`], async or not: `Fn(Vec<K>) -> A` or `AsyncFn(Vec<K>) -> A`.
///
/// An async function is shared by its calls, whose futures may borrow what it captures, so it need not be `Clone`. That of a
/// [`Loader`](crate::Loader) is cloned for each call instead ([`BatchFunction`](crate::loader::BatchFunction)): its future must be
/// `Send`, and Rust cannot say yet that the future of an `AsyncFn` is.
///
/// `Kind` is inferred. It separates the two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch function of keys `{K}`",
    label = "not a function of `Vec<{K}>` that returns an `Answer`, or a future of one",
    note = "return a `HashMap` or `BTreeMap` from keys to values, a `Vec` with a value for each key, \
            or a `Result` of one of these; or a future of that",
    note = "the function is called any number of times, so it is an `Fn` or `AsyncFn`: change what it \
            captures through a `Cell` or `RefCell`"
)]
pub trait LocalBatchFunction<K, Kind>: 'static {
    /// The answer, or the output of the future.
    type Answer: Answer<K> + 'static;
    /// `true` for async functions.
    #[doc(hidden)]
    const IS_ASYNC: bool;
    #[doc(hidden)]
    fn call(self: &Rc<Self>, keys: Vec<K>) -> Called<Self::Answer>;
}

#[doc(hidden)]
pub enum Called<A> {
    Now(A),
    Later(Pin<Box<dyn Future<Output = A>>>),
}

impl<K, A, F> LocalBatchFunction<K, Plain> for F
where
    F: Fn(Vec<K>) -> A + 'static,
    A: Answer<K> + 'static,
{
    type Answer = A;
    const IS_ASYNC: bool = false;

    fn call(self: &Rc<Self>, keys: Vec<K>) -> Called<A> {
        Called::Now(self(keys))
    }
}

impl<K, A, F> LocalBatchFunction<K, Async> for F
where
    K: 'static,
    F: AsyncFn(Vec<K>) -> A + 'static,
    A: Answer<K> + 'static,
{
    type Answer = A;
    const IS_ASYNC: bool = true;

    fn call(self: &Rc<Self>, keys: Vec<K>) -> Called<A> {
        let function = Rc::clone(self);
        // Owns the function, from which the future of the call may borrow.
        let mut answer = Box::pin(async move {
            let answer = function(keys);
            suspend().await;
            answer.await
        });
        // Calls the function now, and polls the future of the call for the first time in a task.
        let poll = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        debug_assert!(poll.is_pending());
        Called::Later(answer)
    }
}

/// Is ready at the second poll.
async fn suspend() {
    let mut is_second = false;
    poll_fn(
        |_| if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}
