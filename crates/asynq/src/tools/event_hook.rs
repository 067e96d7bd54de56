//! Events with async handlers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call_stack::Site;
use crate::futures::{FutureBase, all};
use crate::task::AsyncTask;

/// Event with async handlers, which run together and share batches.
///
/// Clones have the same handlers. An event belongs to one thread.
///
/// ```
/// use asynq::{asynq, tools::AsyncEventHook};
///
/// #[asynq]
/// async fn greet(name: &'static str) {
///     println!("hello {name}");
/// }
///
/// let joined = AsyncEventHook::new();
/// let greeting = joined.subscribe(greet::asynq);
/// joined.subscribe_plain(|name| println!("{name} is new"));
/// joined.trigger("Ann");
///
/// joined.unsubscribe(greeting);
/// joined.trigger("Bob");
/// ```
pub struct AsyncEventHook<A, R: 'static = ()> {
    /// Handlers, in the order in which they were subscribed.
    handlers: Rc<RefCell<BTreeMap<Subscription, Handler<A, R>>>>,
}

type Handler<A, R> = Rc<dyn Fn(A) -> AsyncTask<R>>;

/// Identity of a handler, to [`unsubscribe`](AsyncEventHook::unsubscribe) it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription(u64);

impl Subscription {
    /// Creates an identity that is unique in the process, so that other events do not have it.
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<A: 'static, R> AsyncEventHook<A, R> {
    /// Creates an event without handlers.
    pub fn new() -> Self {
        Self { handlers: Rc::default() }
    }

    /// Adds an async function as a handler.
    pub fn subscribe<F>(&self, handler: impl Fn(A) -> F + 'static) -> Subscription
    where
        F: FutureBase<Output = R> + 'static,
    {
        static SITE: Site = Site::new("handler of an AsyncEventHook");
        let handler = Rc::new(handler);
        self.add(Rc::new(move |arguments| {
            let handler = Rc::clone(&handler);
            // Called in a task of its own, so that a panic does not affect the other handlers.
            AsyncTask::with_site(&SITE, async move { handler(arguments).await })
        }))
    }

    /// Adds a plain function as a handler.
    pub fn subscribe_plain(&self, handler: impl Fn(A) -> R + 'static) -> Subscription {
        static SITE: Site = Site::new("plain handler of an AsyncEventHook");
        let handler = Rc::new(handler);
        self.add(Rc::new(move |arguments| {
            let handler = Rc::clone(&handler);
            AsyncTask::with_site(&SITE, async move { handler(arguments) })
        }))
    }

    fn add(&self, handler: Handler<A, R>) -> Subscription {
        let subscription = Subscription::new();
        self.handlers.borrow_mut().insert(subscription, handler);
        subscription
    }

    /// Removes a handler. Triggers that have begun still call it. Returns whether it was subscribed to
    /// this event.
    pub fn unsubscribe(&self, subscription: Subscription) -> bool {
        // Dropped after the borrow has ended, since it may own values of users.
        let handler = self.handlers.borrow_mut().remove(&subscription);
        handler.is_some()
    }

    /// Creates a task that calls all handlers. They start in the order in which they were subscribed, and
    /// are awaited together. The value has their return values in that order.
    ///
    /// If handlers panic, the task panics with the first of them in order, after all handlers have run to
    /// their end. For handlers that return `Result`s, `values.into_iter().collect::<Result<(), _>>()` is
    /// the first error.
    #[track_caller]
    #[doc(alias = "safe_trigger")]
    pub fn trigger_asynq(&self, arguments: A) -> AsyncTask<Vec<R>>
    where
        A: Clone,
    {
        static SITE: Site = Site::new("asynq::tools::AsyncEventHook::trigger");
        let handlers: Vec<_> = self.handlers.borrow().values().cloned().collect();
        AsyncTask::with_site(&SITE, async move {
            all(handlers.into_iter().map(|handler| handler(arguments.clone()))).await
        })
    }

    /// Calls all handlers synchronously, as [`trigger_asynq`](Self::trigger_asynq).
    ///
    /// # Panics
    ///
    /// If a handler panics, or takes part in a deadlock.
    #[track_caller]
    #[doc(alias = "safe_trigger")]
    pub fn trigger(&self, arguments: A) -> Vec<R>
    where
        A: Clone,
    {
        self.trigger_asynq(arguments).value()
    }
}

impl<A: 'static, R> Default for AsyncEventHook<A, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A, R> Clone for AsyncEventHook<A, R> {
    fn clone(&self) -> Self {
        Self { handlers: Rc::clone(&self.handlers) }
    }
}

impl<A, R> fmt::Debug for AsyncEventHook<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.handlers.borrow().len();
        f.debug_struct("AsyncEventHook").field("handlers", &handlers).finish()
    }
}
