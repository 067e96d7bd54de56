//! Batch functions.

use std::future::Future;
use std::pin::Pin;

use super::answer::Answer;

/// Function from many keys to an [`Answer`], async or not: `Fn(Vec<K>) -> A`, or one that returns a `Send` future.
///
/// `Kind` is inferred. It separates the two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch function of keys `{K}`",
    label = "not a `Send + Sync` function of `Vec<{K}>` that returns an `Answer`, or a `Send` future of one",
    note = "return a `HashMap` or `BTreeMap` from keys to values, a `Vec` with a value for each key, \
            or a `Result` of one of these; or a future of that",
    note = "the future must not borrow from what the closure captures, so clone that for each call: \
            `move |keys| {{ let pool = pool.clone(); async move {{ pool.rows(keys).await }} }}`",
    note = "functions, keys and values that are not `Send` need a `LocalLoader`"
)]
pub trait BatchFunction<K, Kind>: Send + Sync + 'static {
    /// The answer, or the output of the future.
    type Answer: Answer<K> + Send + 'static;
    /// `true` for async functions.
    #[doc(hidden)]
    const IS_ASYNC: bool;
    #[doc(hidden)]
    fn call(&self, keys: Vec<K>) -> Called<Self::Answer>;
}

/// Kind of functions that are not async.
#[derive(Debug)]
pub enum Plain {}

/// Kind of async functions.
#[derive(Debug)]
pub enum Async {}

#[doc(hidden)]
pub enum Called<A> {
    Now(A),
    Later(Pin<Box<dyn Future<Output = A> + Send>>),
}

impl<K, A, F> BatchFunction<K, Plain> for F
where
    F: Fn(Vec<K>) -> A + Send + Sync + 'static,
    A: Answer<K> + Send + 'static,
{
    type Answer = A;
    const IS_ASYNC: bool = false;

    fn call(&self, keys: Vec<K>) -> Called<A> {
        Called::Now(self(keys))
    }
}

impl<K, A, F, R> BatchFunction<K, Async> for F
where
    F: Fn(Vec<K>) -> R + Send + Sync + 'static,
    R: Future<Output = A> + Send + 'static,
    A: Answer<K> + Send + 'static,
{
    type Answer = A;
    const IS_ASYNC: bool = true;

    fn call(&self, keys: Vec<K>) -> Called<A> {
        Called::Later(Box::pin(self(keys)))
    }
}
