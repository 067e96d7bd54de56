//! A cache that belongs to an object.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

use super::cached::{Cached, Store};
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;

/// Keeps what an async `method` returns, for one object and all its arguments, as long as the object
/// lives.
///
/// The result is a field of the object, so what is kept ends with it: nothing has to watch objects.
///
/// Equal calls that are under way share one task. Panics are not kept. An `Err` is a value like any
/// other, unless [`keep_if`](AcachedPerInstance::keep_if) says that it is not to be kept.
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
pub fn acached_per_instance<S, A, T>(
    method: impl Fn(&S, A) -> AsyncTask<T> + 'static,
) -> AcachedPerInstance<S, A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    let cached = Cached::new(RefCell::new(HashMap::new()));
    AcachedPerInstance { method: Rc::new(method), cached }
}

/// A method whose values are kept in the object, as a field of it: made by
/// [`acached_per_instance`].
///
/// A handle: clones share what they keep. So do the clones of an object whose `Clone` is derived;
/// that is what tasks work on.
pub struct AcachedPerInstance<S, A, T: 'static> {
    method: Rc<Method<S, A, T>>,
    cached: Cached<A, T>,
}

type Method<S, A, T> = dyn Fn(&S, A) -> AsyncTask<T>;

impl<S, A, T> AcachedPerInstance<S, A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    /// Keeps only the values for which `keep` is true.
    #[must_use]
    pub fn keep_if(mut self, keep: impl Fn(&T) -> bool + 'static) -> Self {
        self.cached.keep = Rc::new(keep);
        self
    }

    /// A task for the value that is kept or under way or, where there is none, for that of a new
    /// call. `instance` is the object that this is a field of.
    #[track_caller]
    pub fn asynq(&self, instance: &S, arguments: A) -> AsyncTask<T> {
        static SITE: Site = Site::new("asynq::tools::acached_per_instance");
        let key = arguments.clone();
        self.cached.asynq(&SITE, key, || (self.method)(instance, arguments))
    }

    /// The plain call: the value of [`asynq`](Self::asynq), now.
    ///
    /// # Panics
    ///
    /// If the method does, or waits for something that can never come.
    #[track_caller]
    pub fn call(&self, instance: &S, arguments: A) -> T {
        self.asynq(instance, arguments).value()
    }

    /// Forgets the value for these arguments: the next call asks the method again. A call that is
    /// under way goes on for those who have it, and its value is not kept.
    pub fn dirty(&self, arguments: &A) {
        self.cached.dirty(arguments);
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

impl<S, A, T: 'static> Clone for AcachedPerInstance<S, A, T> {
    fn clone(&self) -> Self {
        Self { method: Rc::clone(&self.method), cached: self.cached.clone() }
    }
}

impl<S, A, T: 'static> fmt::Debug for AcachedPerInstance<S, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcachedPerInstance").finish_non_exhaustive()
    }
}
