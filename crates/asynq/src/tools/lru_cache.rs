//! Caching of the values for the arguments used last.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use super::cached::{Cached, Store};
use crate::call_stack::Site;
use crate::context::ScopedValue;
use crate::futures::FutureBase;
use crate::task::{AsyncCall, AsyncTask};

/// Caches the values of `function` for the `maxsize` arguments that were used last.
///
/// Equal calls share the task of a pending call, as with [`deduplicate`](super::deduplicate()). Panics are
/// not cached. An `Err` is cached like any other value, unless [`keep_if`](AlruCache::keep_if) excludes it.
///
/// A value is computed under the contexts of its first caller. If the function reads a [`ScopedValue`],
/// such as the current user, add that to the key with [`vary_on`](AlruCache::vary_on).
///
/// # Panics
///
/// If `maxsize` is 0.
///
/// ```
/// use asynq::{asynq, tools::{AlruCache, alru_cache}};
///
/// #[asynq]
/// async fn parse(text: &'static str) -> Result<u32, String> {
///     println!("parsing {text}");                       // once for each text that is right
///     text.parse().map_err(|_| format!("not a number: {text}"))
/// }
///
/// thread_local! {
///     static PARSE: AlruCache<&'static str, Result<u32, String>> =
///         alru_cache(1000, parse::asynq).keep_if(Result::is_ok);
/// }
///
/// assert_eq!(PARSE.with(|parse| parse.call("7")), Ok(7));
/// assert_eq!(PARSE.with(|parse| parse.call("7")), Ok(7));
/// ```
pub fn alru_cache<A, T, C>(maxsize: usize, function: impl Fn(A) -> C + 'static) -> AlruCache<A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
    C: AsyncCall<Output = T>,
{
    alru_cache_by(maxsize, A::clone, function)
}

/// Caches the values of `function` as [`alru_cache`] does, by the `key` of the arguments.
///
/// Use it for arguments that are too large to keep, or that do not all matter.
///
/// # Panics
///
/// If `maxsize` is 0.
///
/// ```
/// use asynq::{AsyncTask, tools::alru_cache_by};
///
/// let lines = alru_cache_by(
///     100,
///     |(name, _text): &(&str, String)| name.to_string(),
///     |(_name, text)| AsyncTask::new(async move { text.lines().count() }),
/// );
/// assert_eq!(lines.call(("a poem", "one\ntwo".to_owned())), 2);
/// ```
pub fn alru_cache_by<A, K, T, C>(
    maxsize: usize,
    key: impl Fn(&A) -> K + 'static,
    function: impl Fn(A) -> C + 'static,
) -> AlruCache<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
    C: AsyncCall<Output = T>,
{
    let maxsize =
        NonZeroUsize::new(maxsize).expect("the maxsize of `alru_cache` must be 1 or more, got 0");
    AlruCache {
        maxsize,
        key: Rc::new(key),
        function: Rc::new(move |arguments| function(arguments).task()),
        cached: Cached::new(RefCell::new(LruCache::sparse(maxsize))),
    }
}

/// Function that caches its values for the arguments used last, made by [`alru_cache`].
///
/// Clones share the values.
pub struct AlruCache<A, T: 'static, K = A> {
    maxsize: NonZeroUsize,
    key: Rc<dyn Fn(&A) -> K>,
    function: Rc<dyn Fn(A) -> AsyncTask<T>>,
    cached: Cached<K, T>,
}

impl<A, T, K> AlruCache<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    /// Caches only the values for which `keep` returns `true`.
    #[must_use]
    pub fn keep_if(mut self, keep: impl Fn(&T) -> bool + 'static) -> Self {
        self.cached.keep = Rc::new(keep);
        self
    }

    /// Makes the current value of `value` a part of the key, and computes each value under it. Call
    /// this several times for several values; what was cached before is forgotten.
    ///
    /// Use it if the function reads the value, such as the current user: see
    /// [`Deduplicate::vary_on`](super::Deduplicate::vary_on).
    #[must_use]
    pub fn vary_on<V>(self, value: &ScopedValue<V>) -> AlruCache<A, T, (K, V)>
    where
        A: 'static,
        V: Clone + Eq + Hash + 'static,
    {
        let store = RefCell::new(LruCache::sparse(self.maxsize));
        let cached = self.cached.vary_on(store, value);
        let (key, value) = (self.key, value.clone());
        AlruCache {
            maxsize: self.maxsize,
            key: Rc::new(move |arguments| (key(arguments), value.get())),
            function: self.function,
            cached,
        }
    }

    /// Creates a task for the cached value, or for the value of a pending or new call.
    #[track_caller]
    pub fn asynq(&self, arguments: A) -> AsyncTask<T> {
        static SITE: Site = Site::new("asynq::tools::alru_cache");
        let key = (self.key)(&arguments);
        self.cached.asynq(&SITE, key, || (self.function)(arguments))
    }

    /// Calls the function synchronously: returns the value of [`asynq`](Self::asynq).
    ///
    /// # Panics
    ///
    /// If the function panics, or takes part in a deadlock.
    #[track_caller]
    pub fn call(&self, arguments: A) -> T {
        self.asynq(arguments).value()
    }

    /// Removes the value for these arguments: the next call runs the function again. A pending call
    /// goes on, but its value is not cached.
    pub fn dirty(&self, arguments: &A) {
        self.cached.dirty(&(self.key)(arguments));
    }
}

impl<K: Eq + Hash, T> Store<K, T> for RefCell<LruCache<K, Rc<T>>> {
    fn get(&self, key: &K) -> Option<Rc<T>> {
        self.borrow_mut().get(key).cloned()
    }

    fn put(&self, key: K, value: Rc<T>) {
        let _pushed_out = self.borrow_mut().push(key, value);
    }

    fn remove(&self, key: &K) {
        let _removed = self.borrow_mut().pop_entry(key);
    }
}

impl<A, T: 'static, K> Clone for AlruCache<A, T, K> {
    fn clone(&self) -> Self {
        Self {
            maxsize: self.maxsize,
            key: Rc::clone(&self.key),
            function: Rc::clone(&self.function),
            cached: self.cached.clone(),
        }
    }
}

impl<A, T: 'static, K> fmt::Debug for AlruCache<A, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlruCache").finish_non_exhaustive()
    }
}
