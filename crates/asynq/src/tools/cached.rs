//! Caching of the values of async functions.

use std::cell::Cell;
use std::future::ready;
use std::hash::Hash;
use std::rc::Rc;

use super::pin_scope::{PinScope, pin_also, pin_nothing};
use super::running_calls::RunningCalls;
use crate::call_stack::Site;
use crate::context::ScopedValue;
use crate::task::{AsyncTask, WeakTask};

/// Store of cached values. While it is borrowed, its methods run no code of users but `Hash` and `Eq`
/// of the keys.
pub(super) trait Store<K, T> {
    fn get(&self, key: &K) -> Option<Rc<T>>;
    fn put(&self, key: K, value: Rc<T>);
    fn remove(&self, key: &K);
}

/// Cached values and pending calls of a function, by key.
pub(super) struct Cached<K, T: 'static> {
    pub(super) store: Rc<dyn Store<K, T>>,
    /// Decides whether to cache a value.
    pub(super) keep: Rc<dyn Fn(&T) -> bool>,
    pub(super) pin: PinScope<T>,
    running: RunningCalls<K, T>,
    /// Number of calls of `dirty`. A call that began before the last of them does not cache its value,
    /// whatever its key: it may be outdated.
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
            pin: pin_nothing(),
            running: RunningCalls::new(),
            dirtied: Rc::default(),
        }
    }

    /// Returns an empty cache like this one, whose calls are pinned to `value` as well.
    pub(super) fn vary_on<W, V>(
        &self,
        store: impl Store<W, T> + 'static,
        value: &ScopedValue<V>,
    ) -> Cached<W, T>
    where
        W: Clone + Eq + Hash + 'static,
        V: Clone + 'static,
    {
        let mut cached = Cached::new(store);
        cached.keep = Rc::clone(&self.keep);
        cached.pin = pin_also(&self.pin, value);
        cached
    }

    /// Returns a task for the cached value of `key`, or for the value of a pending call or of `call`.
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
        if let Some(task) = self.running.find(&key) {
            return task;
        }
        let (this, its_key, call) = (self.clone(), key.clone(), call());
        let inner = WeakTask::of(&call);
        let call = (self.pin)(call);
        let task = AsyncTask::with_site(site, async move {
            let dirtied = this.dirtied.get();
            let value = call.await;
            if (this.keep)(&value) && this.dirtied.get() == dirtied {
                this.store.put(its_key, Rc::new(value.clone()));
            }
            value
        });
        self.running.add(key, &task, inner);
        task
    }

    /// Removes the value of `key`: the next call runs the function again.
    pub(super) fn dirty(&self, key: &K) {
        self.dirtied.set(self.dirtied.get() + 1);
        self.running.forget(key);
        self.store.remove(key);
    }
}

impl<K, T: 'static> Clone for Cached<K, T> {
    fn clone(&self) -> Self {
        Self {
            store: Rc::clone(&self.store),
            keep: Rc::clone(&self.keep),
            pin: Rc::clone(&self.pin),
            running: self.running.clone(),
            dirtied: Rc::clone(&self.dirtied),
        }
    }
}
