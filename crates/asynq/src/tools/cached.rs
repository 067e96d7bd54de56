//! What functions have returned, for later calls of them.

use std::cell::Cell;
use std::future::ready;
use std::hash::Hash;
use std::rc::Rc;

use super::running_calls::UnderWay;
use crate::call_stack::Site;
use crate::task::{AsyncTask, WeakTask};

/// Where values are kept. None of these runs code of a user's while it has anything borrowed, but
/// that of the keys: `Hash`, `Eq`.
pub(super) trait Store<K, T> {
    fn get(&self, key: &K) -> Option<Rc<T>>;
    fn put(&self, key: K, value: Rc<T>);
    fn remove(&self, key: &K);
}

/// The values of a function, by the keys of its calls: those in the store, and those under way.
pub(super) struct Cached<K, T> {
    pub(super) store: Rc<dyn Store<K, T>>,
    /// Which values are kept.
    pub(super) keep: Rc<dyn Fn(&T) -> bool>,
    under_way: UnderWay<K, T>,
    /// How often something was dirty. What began before the last time is not kept, whatever its
    /// key, rather than kept wrongly.
    dirtied: Rc<Cell<u64>>,
}

impl<K, T> Cached<K, T>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    pub(super) fn new(store: impl Store<K, T> + 'static) -> Self {
        Self {
            store: Rc::new(store),
            keep: Rc::new(|_| true),
            under_way: UnderWay::new(),
            dirtied: Rc::default(),
        }
    }

    /// The value for `key`, or the one under way; if there is neither, that of `call`.
    #[track_caller]
    pub(super) fn asynq(
        &self,
        site: &'static Site,
        key: K,
        call: impl FnOnce() -> AsyncTask<T>,
    ) -> AsyncTask<T> {
        if let Some(value) = self.store.get(&key) {
            return AsyncTask::with_site(site, ready(T::clone(&value)));
        }
        if let Some(task) = self.under_way.find(&key) {
            return task;
        }
        let (this, its_key, call) = (self.clone(), key.clone(), call());
        let inner = WeakTask::of(&call);
        let task = AsyncTask::with_site(site, async move {
            let dirtied = this.dirtied.get();
            let value = call.await;
            if (this.keep)(&value) && this.dirtied.get() == dirtied {
                this.store.put(its_key, Rc::new(value.clone()));
            }
            value
        });
        self.under_way.add(key, &task, inner);
        task
    }

    /// Makes the next call for `key` ask the function again.
    pub(super) fn dirty(&self, key: &K) {
        self.dirtied.set(self.dirtied.get() + 1);
        self.under_way.forget(key);
        self.store.remove(key);
    }
}

impl<K, T> Clone for Cached<K, T> {
    fn clone(&self) -> Self {
        Self {
            store: Rc::clone(&self.store),
            keep: Rc::clone(&self.keep),
            under_way: self.under_way.clone(),
            dirtied: Rc::clone(&self.dirtied),
        }
    }
}
