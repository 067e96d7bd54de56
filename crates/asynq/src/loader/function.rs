//! Batch functions.

use std::future::Future;
use std::pin::Pin;

use super::answer::Answer;

/// Function from many keys to an [`Answer`], async or not: `Fn(Vec<K>) -> A`, or one that is `Clone` and returns a `Send`
/// future.
///
/// An async function is cloned for each call, so that its future owns what the function captures. So an async closure may
/// borrow from a pool that it captures, if that is `Clone`; put anything else into an `Arc`, also what the function changes
/// (a counter, for example). Without one, this does not compile:
///
/// ```compile_fail,E0277
/// use asynq::Loader;
///
/// struct Connection;
///
/// impl Connection {
///     async fn names(&self, ids: &[u32]) -> Vec<String> {
///         ids.iter().map(|id| format!("user {id}")).collect()
///     }
/// }
///
/// let connection = Connection;
/// Loader::new(async move |ids: Vec<u32>| connection.names(&ids).await);
/// ```
///
/// `Kind` is inferred. It separates the two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a batch function of keys `{K}`",
    label = "not a `Send + Sync` function of `Vec<{K}>` that returns an `Answer`, or a `Send` future of one",
    note = "return a `HashMap` or `BTreeMap` from keys to values, a `Vec` with a value for each key, \
            or a `Result` of one of these; or a future of that",
    note = "an async function is cloned for each call, so what it captures is `Clone`: put it into an `Arc`, and write \
            `async move |keys: Vec<_>| pool.rows(&keys).await`",
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
    F: FnOnce(Vec<K>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = A> + Send + 'static,
    A: Answer<K> + Send + 'static,
{
    type Answer = A;
    const IS_ASYNC: bool = true;

    fn call(&self, keys: Vec<K>) -> Called<A> {
        let function = self.clone();
        Called::Later(Box::pin(function(keys)))
    }
}
