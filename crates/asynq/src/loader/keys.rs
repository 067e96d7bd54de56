//! The batch type of a loader, and the state that the batches share with it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::Hash;
use std::iter;
use std::rc::Rc;

use super::cache::SharedCache;
use super::error::LoadError;
use super::fetch::Fetch;
use super::pending_keys::PendingKeys;
use super::settings::Settings;
use super::stats::Stats;
use crate::batch::BatchItem;
use crate::context::ScopedValue;

/// Key of a loader.
pub trait Key: Clone + Eq + Hash + fmt::Debug + 'static {}

impl<K: Clone + Eq + Hash + fmt::Debug + 'static> Key for K {}

/// The [`Batch`](crate::Batch) of a [`Loader`](super::Loader).
pub struct Keys<K: Key, V: Clone + 'static> {
    pub(super) shared: Rc<Shared<K, V>>,
}

/// Future of the value of one key, or of a [`BatchError`](crate::BatchError).
pub type Load<K, V> = BatchItem<Keys<K, V>>;

/// Key of an item.
pub struct KeyRequest<K, V> {
    pub(super) key: K,
    /// Cached value or error: the key is not sent, and resolves together with the batch.
    pub(super) cached: Option<Box<Result<V, LoadError>>>,
    /// Cache for the value.
    pub(super) cache: Option<SharedCache<K, V>>,
}

/// Pending keys of one batch.
type Pending<K, V> = Rc<PendingKeys<K, Keys<K, V>>>;

/// State that a loader shares with its batches.
pub(super) struct Shared<K: Key, V: Clone + 'static> {
    pub(super) fetch: Fetch<K, V>,
    pub(super) settings: RefCell<Settings<K, V>>,
    pub(super) cache: ScopedValue<Option<SharedCache<K, V>>>,
    /// Keys of the open batch.
    pub(super) open: RefCell<Pending<K, V>>,
    /// Keys of the batches that were sent and have not completed.
    pub(super) sent: RefCell<Vec<Pending<K, V>>>,
    stats: Cell<Stats>,
}

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    pub(super) fn new(fetch: Fetch<K, V>, settings: Settings<K, V>) -> Self {
        Self {
            fetch,
            settings: RefCell::new(settings),
            cache: ScopedValue::new(None),
            open: RefCell::new(PendingKeys::new()),
            sent: RefCell::default(),
            stats: Cell::default(),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats.get()
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Stats)) {
        let mut stats = self.stats.get();
        count(&mut stats);
        self.stats.set(stats);
    }

    /// Calls `f` with the keys of each batch that was sent and has not completed.
    pub(super) fn for_each_sent(&self, f: impl FnMut(&Pending<K, V>)) {
        self.sent.borrow().iter().for_each(f);
    }

    /// Returns another handle to the item of a pending key.
    pub(super) fn pending_load(
        &self,
        key: &K,
        cache: Option<&SharedCache<K, V>>,
    ) -> Option<Load<K, V>> {
        let (open, sent) = (self.open.borrow(), self.sent.borrow());
        let (keys, load) =
            iter::once(&*open).chain(&*sent).find_map(|keys| Some((keys, keys.item(key)?)))?;
        if let Some(cache) = cache {
            keys.add_cache(key, cache);
        }
        Some(load)
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for Keys<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.shared.settings.borrow().name)
    }
}

impl<K: fmt::Debug, V> fmt::Debug for KeyRequest<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key)
    }
}
