//! Something that happens, and async functions that want to know of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::futures::all;
use crate::task::AsyncTask;

/// An event, of which async functions are told: they run together, and share their batches.
///
/// A handle: clones have the same handlers. It belongs to one thread.
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
    /// In the order in which they were subscribed.
    handlers: Rc<RefCell<BTreeMap<Subscription, Handler<A, R>>>>,
}

type Handler<A, R> = Rc<dyn Fn(A) -> AsyncTask<R>>;

/// What to [`unsubscribe`](AsyncEventHook::unsubscribe) a handler by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription(u64);

impl Subscription {
    /// One that there is nowhere else: a subscription says nothing to the other hooks.
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<A: 'static, R> AsyncEventHook<A, R> {
    /// An event without handlers.
    pub fn new() -> Self {
        Self { handlers: Rc::default() }
    }

    /// Lets `handler`, an async function, be called when the event happens.
    pub fn subscribe<F>(&self, handler: impl Fn(A) -> F + 'static) -> Subscription
    where
        F: FutureBase<Output = R> + 'static,
    {
        static SITE: Site = Site::new("handler of an AsyncEventHook");
        let handler = Rc::new(handler);
        self.add(Rc::new(move |arguments| {
            let handler = Rc::clone(&handler);
            // Called in a task of its own, so that whatever it does happens to nobody else.
            AsyncTask::with_site(&SITE, async move { handler(arguments).await })
        }))
    }

    /// Likewise, for a plain function.
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

    /// Lets the handler not be called any more, except by what was triggered before. Returns whether
    /// it was subscribed to this event.
    pub fn unsubscribe(&self, subscription: Subscription) -> bool {
        // Dropped when the borrow has ended: what it owns may be a user's.
        let handler = self.handlers.borrow_mut().remove(&subscription);
        handler.is_some()
    }

    /// A task that tells all handlers that the event has happened. They start in the order in which
    /// they were subscribed, and are awaited together; the value has what each of them returned.
    ///
    /// If a handler panics, so does the task, with the first in the order of the handlers, after all
    /// others have run to their end. Where handlers return `Result`s, it is likewise:
    /// `values.into_iter().collect::<Result<(), _>>()` is the first error.
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

    /// The plain call of [`trigger_asynq`](Self::trigger_asynq): runs all handlers to their end.
    ///
    /// # Panics
    ///
    /// If a handler does, or waits for something that can never come.
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
