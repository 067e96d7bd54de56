//! What can be chosen of a loader.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::cache::{Cache, Kept};
use super::handle::{Key, Loader};
use super::limit::Limit;
use super::stats::Flushed;

pub(super) type Default<K, V> = Rc<dyn Fn(&K) -> V>;
pub(super) type Before<K> = Rc<dyn Fn(&[K])>;
pub(super) type After<K> = Rc<dyn Fn(&Flushed<'_, K>)>;

pub(super) struct Settings<K, V> {
    pub(super) name: Rc<str>,
    pub(super) priority: i64,
    pub(super) max_batch_size: usize,
    pub(super) timeout: Option<Duration>,
    pub(super) in_flight: Option<Rc<Limit>>,
    pub(super) keeps_errors: bool,
    pub(super) default: Option<Default<K, V>>,
    pub(super) before: Vec<Before<K>>,
    pub(super) after: Vec<After<K>>,
}

impl<K, V> Settings<K, V> {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            priority: 0,
            max_batch_size: usize::MAX,
            timeout: None,
            in_flight: None,
            keeps_errors: false,
            default: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}

/// # Settings
impl<K: Key, V: Clone + 'static> Loader<K, V> {
    fn set(self, set: impl FnOnce(&mut Settings<K, V>)) -> Self {
        set(&mut self.shared.settings.borrow_mut());
        self
    }

    /// Calls the loader `name` in errors and reports; by default it is called by where it was made.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.set(|settings| settings.name = name.into())
    }

    /// At most so many keys in a batch, at least one: the rest goes out in further batches of the
    /// same round.
    #[must_use]
    pub fn max_batch_size(self, keys: usize) -> Self {
        self.set(|settings| settings.max_batch_size = keys.max(1))
    }

    /// How urgent its batches are, as [`Batch::priority`](crate::Batch::priority).
    #[must_use]
    pub fn priority(self, priority: i64) -> Self {
        self.set(|settings| settings.priority = priority)
    }

    /// Of an async function, at most so many batches at a time, at least one; the others wait.
    #[must_use]
    pub fn max_in_flight(self, batches: usize) -> Self {
        self.set(|settings| settings.in_flight = Some(Limit::new(batches.max(1))))
    }

    /// Of an async function: a batch that takes longer is given up, and its loads fail with
    /// a [`TimeoutError`](super::TimeoutError). The time begins when the function is called.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        self.set(|settings| settings.timeout = Some(after))
    }

    /// What a key has for which nothing came back.
    #[must_use]
    pub fn default_with(self, default: impl Fn(&K) -> V + 'static) -> Self {
        self.set(|settings| settings.default = Some(Rc::new(default)))
    }

    /// Keeps what was loaded: in the [scope](Self::scope) of the task, or outside of all scopes for
    /// the life of the loader.
    #[must_use]
    pub fn cache(self) -> Self {
        self.cache_in(HashMap::new())
    }

    /// Keeps what was loaded, outside of all scopes, in `cache`: a map, an [`Lru`](super::Lru), or any other.
    #[must_use]
    pub fn cache_in(self, cache: impl Cache<K, V> + 'static) -> Self {
        self.shared.place.set(Some(Rc::new(RefCell::new(Kept::new(cache)))));
        self
    }

    /// Keeps the errors of single keys as well, where it keeps values: in an [`Lru`](super::Lru) of
    /// the same size and time.
    #[must_use]
    pub fn cache_errors(self) -> Self {
        self.set(|settings| settings.keeps_errors = true)
    }

    /// Calls `hook` with the keys of each batch before it goes out.
    #[must_use]
    pub fn before_flush(self, hook: impl Fn(&[K]) + 'static) -> Self {
        self.set(|settings| settings.before.push(Rc::new(hook)))
    }

    /// Calls `hook` after each batch has come back.
    #[must_use]
    pub fn after_flush(self, hook: impl Fn(&Flushed<'_, K>) + 'static) -> Self {
        self.set(|settings| settings.after.push(Rc::new(hook)))
    }
}
