//! The handle to a loader.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::answer::Answer;
use super::call;
use super::fetch::Fetch;
use super::function::BatchFunction;
use super::key::Key;
use super::load::Load;
use super::shared::Shared;
use super::stats::Stats;
use crate::batch::BoxError;
use crate::futures::{All, TryAll, all, try_all};

/// Source of values by a batch function: a function from many keys to their values.
///
/// The function gets the distinct keys in the order in which they were first requested. It returns a
/// map from keys to values, or a `Vec` with one value for each key ([`Answer`]). It may return a future of that: its
/// batches then overlap with those of other sources, and with everything that can run.
///
/// A key is requested once in a batch, and while that batch is in flight; its loads share the value,
/// which is `Clone`. A key that is missing from the answer fails with
/// [`LoadError::Missing`](super::LoadError::Missing), unless there is a
/// [`default`](Self::default_with).
///
/// A loader is `Send` and `Sync`, and its clones are handles to the same loader: keep it in a `static`, or in the
/// state of a server. Requests on any thread share its batches. A batch is sent
///
/// - in a [`request`](crate::request()), when none of its code can run; elsewhere in async code, when the executor has
///   run what can run;
/// - and then when two turns of the executor have brought no further key, unless two batches are in flight
///   ([`settle`](Self::settle), [`busy_at`](Self::busy_at));
/// - in a task of this crate ([`#[asynq]`](macro@crate::asynq), [`value`](crate::FutureBase::value)) when no task of
///   the scheduler can run.
///
/// The function sees no context, span or task-local of the requests that wait, which may be several. What the values
/// depend on belongs into the key, or into a loader for each such value ([`per`](super::per)). With tokio, a function that returns
/// a future runs as a task of the runtime. One that does not is called by the request that sends the round, so that request's
/// spans and task-locals are there, although its values may be for others as well.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::LazyLock;
/// use asynq::{FutureBase, Loader, request};
///
/// static USER: LazyLock<Loader<u32, String>> = LazyLock::new(|| {
///     Loader::new(|ids: Vec<u32>| {
///         println!("SELECT … WHERE id IN {ids:?}");
///         ids.into_iter().map(|id| (id, format!("user {id}"))).collect::<HashMap<_, _>>()
///     })
/// });
///
/// let users = request(async { (USER.load(7).await.unwrap(), USER.load(7).await.unwrap()) });
/// assert_eq!(futures::executor::block_on(users).0, "user 7");
/// assert_eq!(USER.load_many([1, 2]).value().unwrap(), ["user 1", "user 2"]);     // from plain code
/// ```
pub struct Loader<K: Key + Send + Sync, V: Clone + Send + 'static> {
    pub(super) shared: Arc<Shared<K, V>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Loader<K, V> {
    /// Creates a loader by `function`, which returns a value for each key, or a future of that. An async function is
    /// cloned for each call, so its future owns what the function captures:
    ///
    /// ```
    /// use asynq::{FutureBase, Loader};
    ///
    /// #[derive(Clone)]
    /// struct Pool;
    ///
    /// impl Pool {
    ///     async fn names(&self, ids: &[u32]) -> Vec<String> {
    ///         ids.iter().map(|id| format!("user {id}")).collect()
    ///     }
    /// }
    ///
    /// let pool = Pool;
    /// let name = Loader::new(async move |ids: Vec<u32>| pool.names(&ids).await);
    /// assert_eq!(name.load(7).value().unwrap(), "user 7");
    /// ```
    #[track_caller]
    pub fn new<Kind, F>(function: F) -> Self
    where
        F: BatchFunction<K, Kind, Answer: Answer<K, Value = V>>,
    {
        Self::from_fetch(Fetch::new(function, Ok))
    }

    /// Creates a loader by `function`, which returns a `Result` for each key. An error fails the loads
    /// of its key alone. It need not be `Clone`: it is the [`source`](std::error::Error::source) of
    /// their errors.
    ///
    /// ```
    /// use asynq::{FutureBase, Loader};
    ///
    /// let number = Loader::try_new(|texts: Vec<&'static str>| {
    ///     texts.into_iter().map(str::parse::<u32>).collect::<Vec<_>>()
    /// })
    /// .name("number");
    /// assert_eq!(number.load("7").value().unwrap(), 7);
    /// let error = number.load("seven").value().unwrap_err();
    /// assert_eq!(error.to_string(), "batch number: key \"seven\": invalid digit found in string");
    /// ```
    #[track_caller]
    pub fn try_new<Kind, F, E>(function: F) -> Self
    where
        F: BatchFunction<K, Kind, Answer: Answer<K, Value = Result<V, E>>>,
        E: Into<BoxError>,
    {
        Self::from_fetch(Fetch::new(function, |value: Result<V, E>| value.map_err(Into::into)))
    }

    #[track_caller]
    pub(super) fn from_fetch(fetch: Fetch<K, V>) -> Self {
        Self { shared: Shared::new(fetch, call::begin, Location::caller()) }
    }

    /// Requests one key. It joins the open batch at once.
    ///
    /// A cached key resolves at the same time as the keys that are sent, so caching never splits a
    /// later batch. If only cached keys are awaited, they resolve at once and nothing is sent.
    ///
    /// A key whose loads are all dropped before it is sent is not sent.
    #[inline]
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn load(&self, key: K) -> Load<K, V> {
        Load::new(&self.shared, self.shared.load(key))
    }

    /// Requests several keys. The future returns all values in the order of the keys, or the first
    /// error in that order.
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn load_many(&self, keys: impl IntoIterator<Item = K>) -> TryAll<Vec<Load<K, V>>> {
        try_all(self.loads(keys))
    }

    /// Requests several keys. The future returns a `Result` for each key, in their order.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use asynq::{FutureBase, Loader};
    ///
    /// let name = Loader::new(|_: Vec<u32>| HashMap::from([(1, "Ann")])).name("name");
    /// let [ann, nobody] = &name.load_each([1, 2]).value()[..] else { panic!() };
    /// assert_eq!(*ann.as_ref().unwrap(), "Ann");
    /// let error = nobody.as_ref().unwrap_err();
    /// assert_eq!(error.to_string(), "batch name: nothing came back for key 2");
    /// ```
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn load_each(&self, keys: impl IntoIterator<Item = K>) -> All<Vec<Load<K, V>>> {
        all(self.loads(keys))
    }

    /// Requests several keys at the place of the caller, which a closure would not have.
    #[cfg_attr(feature = "explain", track_caller)]
    fn loads(&self, keys: impl IntoIterator<Item = K>) -> Vec<Load<K, V>> {
        let keys = keys.into_iter();
        let mut loads = Vec::with_capacity(keys.size_hint().0);
        for key in keys {
            loads.push(self.load(key));
        }
        loads
    }

    /// Returns the counts since the loader was created.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Clone for Loader<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> fmt::Debug for Loader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loader({}, {:?})", self.shared.name(), self.stats())
    }
}
