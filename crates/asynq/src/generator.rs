//! Async generators: async functions that give many values, one at a time.
//!
//! The body of a generator is a task of its own, that waits between two values. So what it awaits
//! is batched with everything else, and the contexts it enters stay its own.

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

/// An async generator, made by [`generator`].
///
/// Inside a task it is a [`Stream`], too. Dropping it drops the body where it stands.
pub struct AsyncGenerator<T: 'static> {
    inner: Rc<Inner<T>>,
    /// The value that the stream waits for.
    polled: Option<AsyncTask<Option<T>>>,
}

/// What the body of a [`generator`] gives its values to.
pub struct Yielder<T> {
    exchange: Rc<Exchange<T>>,
}

struct Inner<T> {
    body: AsyncTask<()>,
    exchange: Rc<Exchange<T>>,
    /// Whether a value was asked for that is not there yet.
    asked: Cell<bool>,
}

/// Between the body and those who want its values. It does not know the body, which has it.
struct Exchange<T> {
    /// Where the generator was made.
    at: &'static Location<'static>,
    value: RefCell<Option<T>>,
    /// Set when there is a value.
    given: RefCell<Option<Promise<()>>>,
    /// Set when the next value is wanted.
    wanted: RefCell<Option<Promise<()>>>,
}

/// Makes a generator of an async body, which gives its values to the [`Yielder`] it is called with.
///
/// `body` is called when the first value is asked for, under the contexts of the task that asks, and
/// runs on when the next one is asked for. It stays under those contexts as long as they last, whoever
/// asks later.
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
        given: RefCell::new(None),
        wanted: RefCell::new(None),
    });
    let yielder = Yielder { exchange: Rc::clone(&exchange) };
    let body = AsyncTask::with_site(&BODY, async move { body(yielder).await });
    let inner = Rc::new(Inner { body, exchange, asked: Cell::new(false) });
    AsyncGenerator { inner, polled: None }
}

/// All the values of a generator.
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

/// The next `count` values of a generator, fewer if it ends before. It can be asked for more
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
    /// The next value; `None` once the body has ended.
    ///
    /// A value whose task is dropped before its end is kept for the next one.
    ///
    /// # Panics
    ///
    /// The task panics if the body does, after which the generator has ended; and if the value
    /// before is still under way.
    #[track_caller]
    #[allow(clippy::should_implement_trait, reason = "the name it has with streams")]
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
            !self.asked.replace(true),
            "a generator gives one value at a time: await the value before first"
        );
        let _asked = Asked(&self.asked);
        let value = self.exchange.value.take();
        if value.is_some() || self.body.is_computed() {
            return value;
        }
        let (given, mut until_given) = promise_at(&VALUE, self.exchange.at);
        self.exchange.given.replace(Some(given));
        if let Some(wanted) = self.exchange.wanted.take() {
            wanted.set_value(());
        }
        let mut body = self.body.clone();
        // To wait for the body is what makes the scheduler run it. Both are asked in one poll, so
        // the first to be there wakes this task.
        poll_fn(|cx| {
            let given = Pin::new(&mut until_given).poll(cx);
            if given.is_ready() { given } else { Pin::new(&mut body).poll(cx) }
        })
        .await;
        self.exchange.value.take()
    }
}

/// Takes the question back, however the wait for the answer ends.
struct Asked<'a>(&'a Cell<bool>);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<T> Yielder<T> {
    /// Gives a value, and waits until the next one is wanted.
    ///
    /// # Panics
    ///
    /// If the value before was not taken: two branches of the body give at once.
    pub async fn send(&self, value: T) {
        static DEMAND: Site = Site::made("demand for a value of the generator");
        let before = self.exchange.value.replace(Some(value));
        assert!(before.is_none(), "a generator gives one value at a time: await each `send`");
        let (wanted, until_wanted) = promise_at(&DEMAND, self.exchange.at);
        self.exchange.wanted.replace(Some(wanted));
        if let Some(given) = self.exchange.given.take() {
            given.set_value(());
        }
        until_wanted.await;
    }

    /// Gives all the values of another generator, one after the other.
    ///
    /// # Panics
    ///
    /// If the body of the other one does.
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
