//! Caching in an object.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

use super::cached::{Cached, Store};
use crate::call_stack::Site;
use crate::context::ScopedValue;
use crate::futures::FutureBase;
use crate::task::{AsyncCall, AsyncTask};

/// Caches the values of an async `method` for one object and all arguments, as long as the object lives.
///
/// Store the result in a field of the object: the values are dropped with it.
///
/// Equal calls share the task of a pending call. Panics are not cached. An `Err` is cached like any other
/// value, unless [`keep_if`](AcachedPerInstance::keep_if) excludes it. A value is computed under the contexts
/// of its first caller: see [`vary_on`](AcachedPerInstance::vary_on).
///
/// ```
/// use asynq::{asynq, tools::{AcachedPerInstance, acached_per_instance}};
///
/// #[derive(Clone)]                                      // a handle: clones share the cache
/// struct Account {
///     id: u32,
///     balance: AcachedPerInstance<Account, &'static str, u32>,
/// }
///
/// #[asynq]
/// impl Account {
///     fn new(id: u32) -> Self {
///         Self { id, balance: acached_per_instance(Account::ask_balance_asynq) }
///     }
///
///     async fn ask_balance(&self, currency: &'static str) -> u32 {
///         println!("asking for the {currency} of {}", self.id);        // once
///         100 * self.id
///     }
/// }
///
/// let account = Account::new(7);
/// assert_eq!(account.balance.call(&account, "EUR"), 700);
/// assert_eq!(account.balance.call(&account, "EUR"), 700);
/// ```
pub fn acached_per_instance<S, A, T, C>(
    method: impl Fn(&S, A) -> C + 'static,
) -> AcachedPerInstance<S, A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
    C: AsyncCall<Output = T>,
{
    let cached = Cached::new(RefCell::new(HashMap::new()));
    let method = Rc::new(move |instance: &S, arguments| method(instance, arguments).task());
    AcachedPerInstance { key: Rc::new(A::clone), method, cached }
}

/// Method that caches its values in a field of the object, made by [`acached_per_instance`].
///
/// Clones share the values, and so do the clones of an object with a derived `Clone`, which tasks work
/// on.
pub struct AcachedPerInstance<S, A, T: 'static, K = A> {
    key: Rc<dyn Fn(&A) -> K>,
    method: Rc<Method<S, A, T>>,
    cached: Cached<K, T>,
}

type Method<S, A, T> = dyn Fn(&S, A) -> AsyncTask<T>;

impl<S, A, T, K> AcachedPerInstance<S, A, T, K>
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
    pub fn vary_on<V>(self, value: &ScopedValue<V>) -> AcachedPerInstance<S, A, T, (K, V)>
    where
        A: 'static,
        V: Clone + Eq + Hash + 'static,
    {
        let cached = self.cached.vary_on(RefCell::new(HashMap::new()), value);
        let (key, value) = (self.key, value.clone());
        let key = Rc::new(move |arguments: &A| (key(arguments), value.get()));
        AcachedPerInstance { key, method: self.method, cached }
    }

    /// Creates a task for the cached value, or for the value of a pending or new call. `instance` is the
    /// object with this field.
    #[track_caller]
    pub fn asynq(&self, instance: &S, arguments: A) -> AsyncTask<T> {
        static SITE: Site = Site::new("asynq::tools::acached_per_instance");
        let key = (self.key)(&arguments);
        self.cached.asynq(&SITE, key, || (self.method)(instance, arguments))
    }

    /// Calls the function synchronously: returns the value of [`asynq`](Self::asynq).
    ///
    /// # Panics
    ///
    /// If the method panics, or takes part in a deadlock.
    #[track_caller]
    pub fn call(&self, instance: &S, arguments: A) -> T {
        self.asynq(instance, arguments).value()
    }

    /// Removes the value for these arguments: the next call runs the method again. A pending call goes on,
    /// but its value is not cached.
    pub fn dirty(&self, arguments: &A) {
        self.cached.dirty(&(self.key)(arguments));
    }
}

impl<K: Eq + Hash, T> Store<K, T> for RefCell<HashMap<K, Rc<T>>> {
    fn get(&self, key: &K) -> Option<Rc<T>> {
        self.borrow().get(key).cloned()
    }

    fn put(&self, key: K, value: Rc<T>) {
        self.remove(&key);
        self.borrow_mut().insert(key, value);
    }

    fn remove(&self, key: &K) {
        let _removed = self.borrow_mut().remove_entry(key);
    }
}

impl<S, A, T: 'static, K> Clone for AcachedPerInstance<S, A, T, K> {
    fn clone(&self) -> Self {
        Self {
            key: Rc::clone(&self.key),
            method: Rc::clone(&self.method),
            cached: self.cached.clone(),
        }
    }
}

impl<S, A, T: 'static, K> fmt::Debug for AcachedPerInstance<S, A, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcachedPerInstance").finish_non_exhaustive()
    }
}
