//! Deduplication of equal calls.

use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

use super::pin_scope::{PinScope, pin_also, pin_nothing};
use super::running_calls::RunningCalls;
use crate::context::ScopedValue;
use crate::futures::FutureBase;
use crate::task::{AsyncCall, AsyncTask, WeakTask};

/// Creates a function whose equal calls share one task while that is pending.
///
/// This is not a cache: once the task has ended, the next call creates a new one. Use it for a value
/// that many tasks need at the same time, and that is computed or fetched only once.
///
/// ```
/// use asynq::{FutureBase, all, asynq, tools::{Deduplicate, deduplicate}};
///
/// #[asynq]
/// async fn profile(user: u32) -> String {
///     println!("loading {user}");             // once
///     format!("user {user}")
/// }
///
/// thread_local! {
///     static PROFILE: Deduplicate<u32, String> = deduplicate(profile::asynq);
/// }
///
/// let both = PROFILE.with(|profile| all((profile.asynq(7), profile.asynq(7))));
/// assert_eq!(both.value(), ("user 7".to_owned(), "user 7".to_owned()));
/// ```
///
/// For a function with several arguments, use a tuple:
///
/// ```
/// # use asynq::{asynq, tools::deduplicate};
/// # #[asynq]
/// # async fn page(user: u32, number: u32) -> u32 { user * number }
/// let page = deduplicate(|(user, number)| page::asynq(user, number));
/// assert_eq!(page.call((7, 2)), 14);
/// ```
///
/// A shared task runs under the contexts of the first task that awaits it. If the function reads a
/// [`ScopedValue`], such as the current user, add that to the key with
/// [`vary_on`](Deduplicate::vary_on); otherwise all get what the first may see.
pub fn deduplicate<A, T, C>(function: impl Fn(A) -> C + 'static) -> Deduplicate<A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
    C: AsyncCall<Output = T>,
{
    deduplicate_by(A::clone, function)
}

/// Creates a function as [`deduplicate`] does, whose calls are equal if `key` returns equal keys for their
/// arguments.
///
/// Use it for arguments that cannot be compared, or that do not all matter.
///
/// ```
/// use asynq::{asynq, tools::deduplicate_by};
///
/// #[derive(Clone)]
/// struct Account {
///     id: u32,
/// }
///
/// #[asynq]
/// impl Account {
///     async fn balance(&self, year: u32) -> u32 {
///         self.id + year
///     }
/// }
///
/// let balance = deduplicate_by(
///     |(account, year): &(Account, u32)| (account.id, *year),
///     |(account, year)| account.balance_asynq(year),
/// );
/// assert_eq!(balance.call((Account { id: 7 }, 2000)), 2007);
/// ```
pub fn deduplicate_by<A, K, T, C>(
    key: impl Fn(&A) -> K + 'static,
    function: impl Fn(A) -> C + 'static,
) -> Deduplicate<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
    C: AsyncCall<Output = T>,
{
    let key = Box::new(key);
    let function = Box::new(move |arguments| function(arguments).task());
    let (running, pin) = (RunningCalls::new(), pin_nothing());
    Deduplicate { inner: Rc::new(Inner { key, function, running, pin }) }
}

/// Function whose equal calls share a task, made by [`deduplicate`].
///
/// Clones share their tasks.
pub struct Deduplicate<A, T: 'static, K = A> {
    inner: Rc<Inner<A, T, K>>,
}

struct Inner<A, T: 'static, K> {
    key: Box<dyn Fn(&A) -> K>,
    function: Box<dyn Fn(A) -> AsyncTask<T>>,
    running: RunningCalls<K, T>,
    pin: PinScope<T>,
}

impl<A, T, K> Deduplicate<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    /// Makes the current value of `value` a part of the key, and pins each task to it.
    ///
    /// Calls share a task only if the value is the same for both, and the task sees that value,
    /// wherever it is awaited first. Call this several times for several values.
    ///
    /// ```
    /// use asynq::tools::{Deduplicate, deduplicate};
    /// use asynq::{AsyncTask, FutureBase, ScopedValue, all, asynq, with_context};
    ///
    /// thread_local! {
    ///     static USER: ScopedValue<&'static str> = ScopedValue::new("nobody");
    ///     static DOCUMENT: Deduplicate<u32, String, (u32, &'static str)> =
    ///         USER.with(|user| deduplicate(document::asynq).vary_on(user));
    /// }
    ///
    /// #[asynq]
    /// async fn document(id: u32) -> String {
    ///     format!("document {id} as seen by {}", USER.with(ScopedValue::get))
    /// }
    ///
    /// let request = |user| {
    ///     let override_user = USER.with(|value| value.override_with(user));
    ///     AsyncTask::new(with_context(override_user, async {
    ///         DOCUMENT.with(|document| document.asynq(1)).await
    ///     }))
    /// };
    /// let (admin, guest) = all((request("admin"), request("guest"))).value();
    /// assert_eq!(admin, "document 1 as seen by admin");
    /// assert_eq!(guest, "document 1 as seen by guest");
    /// ```
    #[must_use]
    pub fn vary_on<V>(self, value: &ScopedValue<V>) -> Deduplicate<A, T, (K, V)>
    where
        A: 'static,
        V: Clone + Eq + Hash + 'static,
    {
        let pin = pin_also(&self.inner.pin, value);
        let (keys, functions, value) = (Rc::clone(&self.inner), self.inner, value.clone());
        let key = Box::new(move |arguments: &A| ((keys.key)(arguments), value.get()));
        let function = Box::new(move |arguments| (functions.function)(arguments));
        Deduplicate { inner: Rc::new(Inner { key, function, running: RunningCalls::new(), pin }) }
    }

    /// Returns the task of a pending equal call, or creates one.
    ///
    /// The task runs in the contexts of the first task that awaits it, apart from the values that
    /// it [varies on](Self::vary_on). If it panics, all who await it
    /// get the failure. It is pending as long as it has a handle.
    ///
    /// A call by the body of the shared task, directly or in a synchronous call, gets a task of its own.
    /// If a task that the shared task *awaits* makes an equal call, both wait for each other, which is
    /// reported as a deadlock: see [`dirty`](Self::dirty).
    pub fn asynq(&self, arguments: A) -> AsyncTask<T> {
        let Inner { key, function, running, pin } = &*self.inner;
        let key = key(&arguments);
        if let Some(task) = running.find(&key) {
            return task;
        }
        let call = function(arguments);
        let inner = WeakTask::of(&call);
        let task = pin(call);
        running.add(key, &task, inner);
        task
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

    /// Makes the next equal call create a new task: one with the current values of what the key
    /// [varies on](Self::vary_on). A pending task goes on.
    ///
    /// Use it when the input of the function has changed, and before a function awaits an equal call of
    /// itself.
    pub fn dirty(&self, arguments: &A) {
        let Inner { key, running, .. } = &*self.inner;
        running.forget(&key(arguments));
    }
}

impl<A, T: 'static, K> Clone for Deduplicate<A, T, K> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<A, T: 'static, K> fmt::Debug for Deduplicate<A, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deduplicate").finish_non_exhaustive()
    }
}
