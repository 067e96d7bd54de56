//! Async generators: async functions that produce many values, one at a time.
//!
//! The body of a generator is a task of its own, which waits between two values. So its requests share
//! batches with those of other tasks, and the contexts that it enters do not affect them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;
use crate::task::{Promise, promise_at};

/// Async generator, made by [`generator`].
///
/// Inside a task, it is also a [`Stream`]. Dropping it cancels the body.
pub struct AsyncGenerator<T: 'static> {
    inner: Rc<Inner<T>>,
    /// Task of the value that the stream waits for.
    polled: Option<AsyncTask<Option<T>>>,
}

/// Receiver of the values of the body of a [`generator`].
pub struct Yielder<T> {
    exchange: Rc<Exchange<T>>,
}

struct Inner<T> {
    body: AsyncTask<()>,
    exchange: Rc<Exchange<T>>,
    /// Set while a value is requested.
    requested: Cell<bool>,
    /// Set when the end of the body, or its panic, has reached the consumer.
    ended: Cell<bool>,
}

/// Place between the body and the consumer. The body owns it, so it does not own the body.
struct Exchange<T> {
    /// Place where the generator was created.
    at: &'static Location<'static>,
    value: RefCell<Option<T>>,
    /// Promise to the consumer, set when there is a value.
    sent: RefCell<Option<Promise<()>>>,
    /// Promise to the body, set when the next value is requested.
    demanded: RefCell<Option<Promise<()>>>,
}

/// Creates a generator of an async body, which sends its values to the [`Yielder`] that it gets.
///
/// The first request of a value calls `body`, under the contexts of the requesting task; each further
/// request resumes it. The body stays under these contexts as long as they last, whichever task requests
/// the later values.
///
/// ```
/// use asynq::generator::{generator, list_of_generator};
/// use asynq::{AsyncTask, FutureBase};
///
/// let double = |n: u32| AsyncTask::new(async move { 2 * n });
/// let doubles = generator(move |out| async move {
///     for n in 1..=3 {
///         out.send(double(n).await).await;
///     }
/// });
/// assert_eq!(list_of_generator(doubles).value(), [2, 4, 6]);
/// ```
#[track_caller]
pub fn generator<T: 'static, F>(body: impl FnOnce(Yielder<T>) -> F + 'static) -> AsyncGenerator<T>
where
    F: Future<Output = ()> + 'static,
{
    static BODY: Site = Site::made("generator");
    let exchange = Rc::new(Exchange {
        at: Location::caller(),
        value: RefCell::new(None),
        sent: RefCell::new(None),
        demanded: RefCell::new(None),
    });
    let yielder = Yielder { exchange: Rc::clone(&exchange) };
    let body = AsyncTask::with_site(&BODY, async move { body(yielder).await });
    let (requested, ended) = (Cell::new(false), Cell::new(false));
    let inner = Rc::new(Inner { body, exchange, requested, ended });
    AsyncGenerator { inner, polled: None }
}

/// Collects all values of a generator.
///
/// # Panics
///
/// The task panics if the body does.
#[track_caller]
pub fn list_of_generator<T: 'static>(mut generator: AsyncGenerator<T>) -> AsyncTask<Vec<T>> {
    static SITE: Site = Site::new("asynq::generator::list_of_generator");
    AsyncTask::with_site(&SITE, async move {
        let mut values = Vec::new();
        while let Some(value) = generator.next().await {
            values.push(value);
        }
        values
    })
}

/// Takes the next `count` values of a generator, or fewer if it ends before. It can be used again
/// afterwards.
///
/// # Panics
///
/// The task panics if the body does.
///
/// ```
/// use asynq::FutureBase;
/// use asynq::generator::{generator, take_first};
///
/// let mut numbers = generator(|out| async move {
///     for n in 0.. {
///         out.send(n).await;
///     }
/// });
/// assert_eq!(take_first(&mut numbers, 2).value(), [0, 1]);
/// assert_eq!(take_first(&mut numbers, 2).value(), [2, 3]);
/// ```
#[track_caller]
pub fn take_first<T: 'static>(
    generator: &mut AsyncGenerator<T>,
    count: usize,
) -> AsyncTask<Vec<T>> {
    static SITE: Site = Site::new("asynq::generator::take_first");
    let inner = Rc::clone(&generator.inner);
    AsyncTask::with_site(&SITE, async move {
        let mut values = Vec::new();
        while values.len() < count {
            let Some(value) = inner.next().await else { break };
            values.push(value);
        }
        values
    })
}

impl<T: 'static> AsyncGenerator<T> {
    /// Requests the next value, or `None` if the body has ended.
    ///
    /// If the task is dropped before its end, the next task gets its value.
    ///
    /// # Panics
    ///
    /// The task panics if the body does, and the generator has then ended. It also panics if the previous
    /// value is still pending.
    #[track_caller]
    #[allow(clippy::should_implement_trait, reason = "the name that streams use")]
    pub fn next(&mut self) -> AsyncTask<Option<T>> {
        static SITE: Site = Site::new("asynq::generator::AsyncGenerator::next");
        let inner = Rc::clone(&self.inner);
        AsyncTask::with_site(&SITE, async move { inner.next().await })
    }
}

impl<T: 'static> Inner<T> {
    async fn next(&self) -> Option<T> {
        static VALUE: Site = Site::made("value of the generator");
        assert!(
            !self.requested.replace(true),
            "the previous value of the generator is still pending; await it before the next one"
        );
        let _request = Request(&self.requested);
        let value = self.exchange.value.take();
        if value.is_some() || self.ended.get() {
            return value;
        }
        if self.body.is_computed() {
            // It has sent its last value and ended in one step, perhaps by a panic.
            self.ended.set(true);
            self.body.clone().await;
            return None;
        }
        let (sent, mut until_sent) = promise_at(&VALUE, self.exchange.at);
        self.exchange.sent.replace(Some(sent));
        if let Some(demanded) = self.exchange.demanded.take() {
            demanded.set_value(());
        }
        let mut body = self.body.clone();
        // Waiting for the body makes the scheduler run it. Both are polled in one poll, so the first of
        // them wakes this task.
        poll_fn(|cx| {
            let sent = Pin::new(&mut until_sent).poll(cx);
            if sent.is_ready() {
                return sent;
            }
            self.ended.set(body.is_computed());
            Pin::new(&mut body).poll(cx)
        })
        .await;
        self.exchange.value.take()
    }
}

/// Guard of a request, which ends however the wait for the value ends.
struct Request<'a>(&'a Cell<bool>);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<T> Yielder<T> {
    /// Sends a value, and waits until the next one is requested.
    ///
    /// # Panics
    ///
    /// If the previous value was not taken, since two branches of the body send values concurrently.
    pub async fn send(&self, value: T) {
        static DEMAND: Site = Site::made("demand for a value of the generator");
        assert!(
            self.exchange.value.borrow().is_none(),
            "the previous value of the generator was not taken; await each `send` before the next one"
        );
        self.exchange.value.replace(Some(value));
        let (demanded, until_demanded) = promise_at(&DEMAND, self.exchange.at);
        self.exchange.demanded.replace(Some(demanded));
        if let Some(sent) = self.exchange.sent.take() {
            sent.set_value(());
        }
        until_demanded.await;
    }

    /// Sends all values of another generator.
    ///
    /// # Panics
    ///
    /// If the body of the other generator panics.
    pub async fn send_all(&self, mut other: AsyncGenerator<T>)
    where
        T: 'static,
    {
        while let Some(value) = other.next().await {
            self.send(value).await;
        }
    }
}

impl<T: 'static> Stream for AsyncGenerator<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut polled = match self.polled.take() {
            Some(polled) => polled,
            None => self.next(),
        };
        let value = Pin::new(&mut polled).poll(cx);
        if value.is_pending() {
            self.polled = Some(polled);
        }
        value
    }
}

impl<T> fmt::Debug for AsyncGenerator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.inner.body.is_computed() { "ended" } else { "not ended" };
        write!(f, "AsyncGenerator({state})")
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}
