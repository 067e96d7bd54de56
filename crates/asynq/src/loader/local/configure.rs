//! Configuration of a loader, by methods that return it.

use std::future::Future;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use super::group::LocalGroup;
use super::handle::LocalLoader;
use super::keys::Shared;
use super::request::LocalCache;
use crate::loader::cache::Cache;
use crate::loader::configuration::configuration;
use crate::loader::error::LoadError;
use crate::loader::key::Key;
use crate::loader::settings::Settings;
use crate::loader::stats::Flushed;
use crate::loader::threads::{LocalWait, OneThread};
use crate::scheduler::Limit;

configuration!(
    LocalLoader, keys: [Key], values: [Clone + 'static],
    functions: [], caches: [], limit: Limit, wait: LocalWait
);

/// # Configuration for one thread
impl<K: Key, V: Clone + 'static> LocalLoader<K, V> {
    pub(in crate::loader) fn set(self, set: impl FnOnce(&mut Settings<K, V, OneThread>)) -> Self {
        let mut settings = self.shared.settings.borrow_mut();
        set(&mut settings);
        let for_machine = settings.for_machine();
        drop(settings);
        let is_timed = for_machine.max_delay.is_some() || for_machine.hold > 0;
        self.shared.is_timed.set(is_timed);
        self.shared.machine.borrow_mut().set(for_machine);
        self
    }

    fn set_cache(self, cache: LocalCache<K, V>) -> Self {
        self.shared.cache.set(Some(cache));
        self.shared.caches.set(true);
        self
    }

    /// Makes the loader a member of a [`LocalGroup`], and of no other.
    #[must_use]
    pub fn group(self, group: &LocalGroup) -> Self {
        let shared: Weak<Shared<K, V>> = Rc::downgrade(&self.shared);
        let membership = group.join(shared);
        let before = self.shared.settings.borrow_mut().group.replace(membership);
        drop(before);
        self
    }

    /// Lets tests run from recorded answers, by the [name](Self::name) of the loader:
    /// [`explain::record_answers`](crate::explain::record_answers).
    #[cfg(feature = "explain")]
    #[must_use]
    pub fn replayable(self) -> Self
    where
        V: serde::Serialize + serde::de::DeserializeOwned,
    {
        self.shared.codec.get_or_init(crate::recording::answers::Codec::new);
        self
    }

    /// Sends keys although their loads were dropped, together with others: the keys are writes.
    #[cfg(any(feature = "redis", feature = "memcached"))]
    #[must_use]
    pub(crate) fn sends_dropped(self) -> Self {
        self.set(|settings| settings.sends_dropped = true)
    }
}
