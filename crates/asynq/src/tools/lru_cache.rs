//! A cache of limited size.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use super::cached::{Cached, Store};
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;

/// Keeps what `function` returns, for the `maxsize` arguments that were used last.
///
/// Equal calls that are under way share one task, as with [`deduplicate`](super::deduplicate()).
/// Panics are not kept. An `Err` is a value like any other, unless
/// [`keep_if`](AlruCache::keep_if) says that it is not to be kept.
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
pub fn alru_cache<A, T>(
    maxsize: usize,
    function: impl Fn(A) -> AsyncTask<T> + 'static,
) -> AlruCache<A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    alru_cache_by(maxsize, A::clone, function)
}

/// Like [`alru_cache`]; calls have the same value if `key` makes equal keys of their arguments.
///
/// For arguments that are too large to be kept, or some of which do not matter.
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
pub fn alru_cache_by<A, K, T>(
    maxsize: usize,
    key: impl Fn(&A) -> K + 'static,
    function: impl Fn(A) -> AsyncTask<T> + 'static,
) -> AlruCache<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    let maxsize = NonZeroUsize::new(maxsize)
        .expect("a cache of size 0 keeps nothing: give `alru_cache` a maxsize of 1 or more");
    AlruCache {
        key: Rc::new(key),
        function: Rc::new(function),
        cached: Cached::new(RefCell::new(LruCache::sparse(maxsize))),
    }
}

/// A function whose values are kept for the arguments used last: made by [`alru_cache`].
///
/// A handle: clones share what they keep.
pub struct AlruCache<A, T: 'static, K = A> {
    key: Rc<dyn Fn(&A) -> K>,
    function: Rc<dyn Fn(A) -> AsyncTask<T>>,
    cached: Cached<K, T>,
}

impl<A, T, K> AlruCache<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    /// Keeps only the values for which `keep` is true.
    #[must_use]
    pub fn keep_if(mut self, keep: impl Fn(&T) -> bool + 'static) -> Self {
        self.cached.keep = Rc::new(keep);
        self
    }

    /// A task for the value that is kept or under way or, where there is none, for that of a new
    /// call.
    #[track_caller]
    pub fn asynq(&self, arguments: A) -> AsyncTask<T> {
        static SITE: Site = Site::new("asynq::tools::alru_cache");
        let key = (self.key)(&arguments);
        self.cached.asynq(&SITE, key, || (self.function)(arguments))
    }

    /// The plain call: the value of [`asynq`](Self::asynq), now.
    ///
    /// # Panics
    ///
    /// If the function does, or waits for something that can never come.
    #[track_caller]
    pub fn call(&self, arguments: A) -> T {
        self.asynq(arguments).value()
    }

    /// Forgets the value for these arguments: the next call asks the function again. A call that is
    /// under way goes on for those who have it, and its value is not kept.
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
