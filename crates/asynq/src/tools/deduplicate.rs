//! One task for equal calls.

use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

use super::running_calls::UnderWay;
use crate::futures::FutureBase;
use crate::task::{AsyncTask, WeakTask};

/// Lets equal calls of `function` that are under way at the same time share one task.
///
/// Once that task has ended, the next call makes a new one: this is not a cache. Where many tasks
/// need the same thing that a cache may not have yet, it keeps them from all computing it.
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
/// Of a function with several arguments, make one with a tuple:
///
/// ```
/// # use asynq::{asynq, tools::deduplicate};
/// # #[asynq]
/// # async fn page(user: u32, number: u32) -> u32 { user * number }
/// let page = deduplicate(|(user, number)| page::asynq(user, number));
/// assert_eq!(page.call((7, 2)), 14);
/// ```
pub fn deduplicate<A, T>(function: impl Fn(A) -> AsyncTask<T> + 'static) -> Deduplicate<A, T>
where
    A: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    deduplicate_by(A::clone, function)
}

/// Like [`deduplicate`]; calls are equal if `key` makes equal keys of their arguments.
///
/// For arguments that cannot be compared, or some of which do not matter.
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
pub fn deduplicate_by<A, K, T>(
    key: impl Fn(&A) -> K + 'static,
    function: impl Fn(A) -> AsyncTask<T> + 'static,
) -> Deduplicate<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    let (key, function) = (Box::new(key), Box::new(function));
    Deduplicate { inner: Rc::new(Inner { key, function, under_way: UnderWay::new() }) }
}

/// A function whose equal calls share a task: made by [`deduplicate`].
///
/// A handle: clones share their tasks.
pub struct Deduplicate<A, T: 'static, K = A> {
    inner: Rc<Inner<A, T, K>>,
}

struct Inner<A, T: 'static, K> {
    key: Box<dyn Fn(&A) -> K>,
    function: Box<dyn Fn(A) -> AsyncTask<T>>,
    under_way: UnderWay<K, T>,
}

impl<A, T, K> Deduplicate<A, T, K>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    /// The task of an equal call that is under way or, where there is none, a new one.
    ///
    /// It runs in the contexts of the first task that awaits it. If it panics or is cancelled, all
    /// who share it see that; it is under way as long as one of them has its handle.
    ///
    /// A call that the body of the shared task makes, directly or by functions that it calls
    /// plainly, gets a task of its own. Where something that the task *awaits* makes an equal call,
    /// both would wait for each other, which is reported as a deadlock: see [`dirty`](Self::dirty).
    pub fn asynq(&self, arguments: A) -> AsyncTask<T> {
        let Inner { key, function, under_way } = &*self.inner;
        let key = key(&arguments);
        if let Some(task) = under_way.find(&key) {
            return task;
        }
        let task = function(arguments);
        under_way.add(key, &task, WeakTask::of(&task));
        task
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

    /// Makes the next equal call start a task of its own; the one under way goes on for those who
    /// have it.
    ///
    /// For when what it began with has changed, and before a function awaits an equal call of
    /// itself.
    pub fn dirty(&self, arguments: &A) {
        let Inner { key, under_way, .. } = &*self.inner;
        under_way.forget(&key(arguments));
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
