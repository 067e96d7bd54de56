//! Loaders: a function of many keys as a function of one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::iter;
use std::panic::Location;
use std::rc::Rc;

use super::answer::{Answer, Returned};
use super::cache::{Kept, Place};
use super::fetch::Fetch;
use super::keys::{Ask, Keys};
use super::pending_keys::Round;
use super::settings::Settings;
use super::stats::Stats;
use crate::batch::{BatchItem, BoxError, Source};
use crate::context::AsyncContext;
use crate::context::{ScopedOverride, ScopedValue};
#[cfg(feature = "blocking")]
use crate::debug::format_asynq_stack;
use crate::futures::{TryAll, try_all};

/// What can be asked for.
pub trait Key: Clone + Eq + Hash + fmt::Debug + 'static {}

impl<K: Clone + Eq + Hash + fmt::Debug + 'static> Key for K {}

/// The value of one key, on its way: a future of it, or of a [`BatchError`](crate::BatchError).
pub type Load<K, V> = BatchItem<Keys<K, V>>;

/// The context of [`Loader::scope`].
#[must_use = "a scope does nothing unless it is entered: `with_context(scope, future)`"]
pub struct Scope<K, V>(ScopedOverride<Option<Place<K, V>>>);

impl<K, V> AsyncContext for Scope<K, V> {
    fn resume(&self) {
        self.0.resume();
    }

    fn pause(&self) {
        self.0.pause();
    }

    fn name(&self) -> String {
        "scope of a loader".to_owned()
    }
}

impl<K, V> fmt::Debug for Scope<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// A source that is made of a function from many keys to their values.
///
/// The function gets the distinct keys in the order in which they were first asked for, and returns
/// a map from keys to values, or a `Vec` of as many values ([`Answer`]). It may be async: then its
/// batches overlap with those of other sources, and with tasks that can go on.
///
/// Equal keys are asked for once in a batch, and while that is in flight; so values are `Clone`.
/// A key for which nothing comes back fails with [`LoadError::Missing`], unless there is a
/// [`default`](Self::default_with).
///
/// A handle: clones are the same loader. It belongs to one thread; keep it in a `thread_local!`.
///
/// ```
/// use std::collections::HashMap;
/// use asynq::{FutureBase, Loader};
///
/// let user = Loader::new(|ids: Vec<u32>| {
///     println!("SELECT … WHERE id IN {ids:?}");
///     ids.into_iter().map(|id| (id, format!("user {id}"))).collect::<HashMap<_, _>>()
/// });
/// assert_eq!(user.load(7).value().unwrap(), "user 7");
/// assert_eq!(user.load_many([1, 2]).value().unwrap(), ["user 1", "user 2"]);
/// ```
pub struct Loader<K: Key, V: Clone + 'static> {
    source: Source<Keys<K, V>>,
    pub(super) shared: Rc<Shared<K, V>>,
}

/// What a loader and its batches share.
pub(super) struct Shared<K: Key, V: Clone + 'static> {
    pub(super) fetch: Fetch<K, V>,
    pub(super) settings: RefCell<Settings<K, V>>,
    pub(super) place: ScopedValue<Option<Place<K, V>>>,
    /// What is asked for in the batch that is open.
    pub(super) open: RefCell<Rc<Round<K, V>>>,
    /// What was asked for in those that went out, and did not come back.
    pub(super) in_flight: RefCell<Vec<Rc<Round<K, V>>>>,
    pub(super) stats: Cell<Stats>,
}

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    pub(super) fn count(&self, count: impl FnOnce(&mut Stats)) {
        let mut stats = self.stats.get();
        count(&mut stats);
        self.stats.set(stats);
    }

    /// The rounds that went out, and did not come back.
    fn each_in_flight(&self, each: impl FnMut(&Rc<Round<K, V>>)) {
        self.in_flight.borrow().iter().for_each(each);
    }

    /// Another handle to what was asked for and is not there yet.
    fn on_its_way(&self, key: &K, place: Option<&Place<K, V>>) -> Option<Load<K, V>> {
        let (open, in_flight) = (self.open.borrow(), self.in_flight.borrow());
        let (round, load) = iter::once(&*open)
            .chain(&*in_flight)
            .find_map(|round| Some((round, round.item(key)?)))?;
        if let Some(place) = place {
            round.keep_in(key, place);
        }
        Some(load)
    }
}

impl<K: Key, V: Clone + 'static> Loader<K, V> {
    /// A loader by `function`, of keys to values.
    #[track_caller]
    pub fn new<Kind, R>(function: impl Fn(Vec<K>) -> R + 'static) -> Self
    where
        R: Returned<K, Kind, Answer: Answer<K, Value = V>>,
    {
        Self::by(Fetch::new(function, Ok))
    }

    /// A loader by `function`, of keys to `Result`s: an error is that of its key alone. It need not
    /// be `Clone`; it is the [`source`](std::error::Error::source) of the load's error.
    ///
    /// ```
    /// use asynq::{FutureBase, Loader};
    ///
    /// let number = Loader::try_new(|texts: Vec<&str>| {
    ///     texts.into_iter().map(str::parse::<u32>).collect::<Vec<_>>()
    /// })
    /// .name("number");
    /// assert_eq!(number.load("7").value().unwrap(), 7);
    /// let error = number.load("seven").value().unwrap_err();
    /// assert_eq!(error.to_string(), "batch number: key \"seven\": invalid digit found in string");
    /// ```
    #[track_caller]
    pub fn try_new<Kind, R, E>(function: impl Fn(Vec<K>) -> R + 'static) -> Self
    where
        R: Returned<K, Kind, Answer: Answer<K, Value = Result<V, E>>>,
        E: Into<BoxError>,
    {
        Self::by(Fetch::new(function, |value: Result<V, E>| value.map_err(Into::into)))
    }

    /// A loader by a `function` that blocks its thread: it runs on another one, of a pool, and so
    /// its batches overlap with those of other sources.
    ///
    /// There it is a part of the asynq stack of its round, and of the `tracing` span (with that
    /// feature). Contexts and other thread-locals stay behind, a [`ScopedValue`] among them. What
    /// the function needs of them goes into the key; or it is taken along by the function of a
    /// [`new`](Self::new) loader, which runs here and returns a future of a thread's work.
    #[cfg(feature = "blocking")]
    #[track_caller]
    pub fn blocking<A>(function: impl Fn(Vec<K>) -> A + Send + Sync + 'static) -> Self
    where
        K: Send,
        A: Answer<K, Value = V> + Send + 'static,
    {
        Self::new(elsewhere(function))
    }

    /// The same of keys to `Result`s: an error is that of its key alone, as with
    /// [`try_new`](Self::try_new).
    #[cfg(feature = "blocking")]
    #[track_caller]
    pub fn try_blocking<A, E>(function: impl Fn(Vec<K>) -> A + Send + Sync + 'static) -> Self
    where
        K: Send,
        A: Answer<K, Value = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::try_new(elsewhere(function))
    }

    #[track_caller]
    fn by(fetch: Fetch<K, V>) -> Self {
        let name = format!("loader at {}", Location::caller());
        let shared = Rc::new(Shared {
            fetch,
            settings: RefCell::new(Settings::new(&name)),
            place: ScopedValue::new(None),
            open: RefCell::new(Round::new()),
            in_flight: RefCell::default(),
            stats: Cell::default(),
        });
        Self { source: Source::new(Keys::new(Rc::clone(&shared))), shared }
    }

    /// Asks for one key.
    ///
    /// What is kept comes with the open batch, as if it had been asked for: so caching lets no task
    /// run ahead, and splits no later batch. If nothing else is asked for, the function is not
    /// called.
    pub fn load(&self, key: K) -> Load<K, V> {
        let shared = &self.shared;
        let place = shared.place.get();
        if let Some(kept) = place.as_ref().and_then(|place| place.borrow_mut().get(&key)) {
            shared.count(|stats| stats.hits += 1);
            return self.source.item(Ask { key, known: Some(Box::new(kept)), place: None });
        }
        if let Some(load) = shared.on_its_way(&key, place.as_ref()) {
            shared.count(|stats| stats.hits += 1);
            return load;
        }
        let load = self.source.item(Ask { key: key.clone(), known: None, place });
        let open = Rc::clone(&shared.open.borrow());
        if open.takes(&load) {
            open.insert(key, &load);
        } else {
            let fresh = Round::new();
            fresh.insert(key, &load);
            shared.open.replace(fresh);
        }
        load
    }

    /// Asks for several keys. The future gives all the values in the order of the keys, or the first
    /// error.
    pub fn load_many(&self, keys: impl IntoIterator<Item = K>) -> TryAll<Vec<Load<K, V>>> {
        try_all(keys.into_iter().map(|key| self.load(key)).collect::<Vec<_>>())
    }

    /// A context in which the loader keeps what it loads, apart from what is kept elsewhere: for one
    /// request, by [`with_context`](crate::with_context).
    ///
    /// ```
    /// use asynq::{AsyncTask, FutureBase, Loader, with_context};
    ///
    /// let square = Loader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());
    /// let request = AsyncTask::new({
    ///     let square = square.clone();
    ///     async move {
    ///         with_context(square.scope(), async {
    ///             (square.load(3).await.unwrap(), square.load(3).await.unwrap())
    ///         })
    ///         .await
    ///     }
    /// });
    /// assert_eq!(request.value(), (9, 9));
    /// assert_eq!(square.stats().batches, 1);
    /// ```
    pub fn scope(&self) -> Scope<K, V> {
        let kept = Kept::new(HashMap::new());
        Scope(self.shared.place.override_with(Some(Rc::new(RefCell::new(kept)))))
    }

    /// Keeps a value that is known from elsewhere, where something is kept. What is in flight for
    /// `key`, and may be older, is not kept.
    pub fn prime(&self, key: K, value: V) {
        self.shared.each_in_flight(|round| round.forget(&key));
        if let Some(place) = self.shared.place.get() {
            place.borrow_mut().insert(key, Ok(value));
        }
    }

    /// Forgets what is kept for `key` here. What is in flight for it is not kept, and asked for again
    /// by who wants it from now on.
    pub fn clear(&self, key: &K) {
        self.shared.each_in_flight(|round| round.forget(key));
        if let Some(place) = self.shared.place.get() {
            place.borrow_mut().remove(key);
        }
    }

    /// Forgets everything that is kept here.
    pub fn clear_all(&self) {
        self.shared.each_in_flight(|round| round.forget_all());
        if let Some(place) = self.shared.place.get() {
            place.borrow_mut().clear();
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats.get()
    }
}

/// What calls a function on a thread of the pool.
#[cfg(feature = "blocking")]
fn elsewhere<K, A>(
    function: impl Fn(Vec<K>) -> A + Send + Sync + 'static,
) -> impl Fn(Vec<K>) -> blocking::Task<A>
where
    K: Send + 'static,
    A: Send + 'static,
{
    let function = std::sync::Arc::new(function);
    move |keys| {
        let function = std::sync::Arc::clone(&function);
        let stack = format_asynq_stack().unwrap_or_default();
        #[cfg(feature = "tracing")]
        let span = tracing::Span::current();
        blocking::unblock(move || {
            #[cfg(feature = "tracing")]
            let _inside = span.enter();
            stack.beneath(|| function(keys))
        })
    }
}

impl<K: Key, V: Clone + 'static> Clone for Loader<K, V> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), shared: Rc::clone(&self.shared) }
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for Loader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loader({}, {:?})", self.shared.settings.borrow().name, self.stats())
    }
}
