//! Calls of async functions that have not become tasks.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use send_wrapper::SendWrapper;

use super::handle::AsyncTask;
use super::on_stack;
use crate::call_stack::{Origin, Site};
use crate::error::TaskError;
use crate::futures::FutureBase;
use crate::scheduler::{self, Scheduler};

/// Call of an async function: a [`Call`], as `f::asynq(a)` returns it, or an [`AsyncTask`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a call of an async function",
    note = "write `f::asynq` instead of `f`"
)]
pub trait AsyncCall:
    FutureBase<Output: 'static, Mocked = AsyncTask<<Self as Future>::Output>> + 'static
{
    /// Makes a task of the call.
    fn task(self) -> AsyncTask<Self::Output> {
        self.into_mocked()
    }
}

impl<T: 'static> AsyncCall for AsyncTask<T> {}

impl<F: Future<Output: 'static> + 'static> AsyncCall for Call<F> {}

pin_project! {
    /// Call of an async function, as `f::asynq(a)` returns it.
    ///
    /// It does nothing until it is awaited or asked for its value. Awaited directly, it runs as a part of the task, or
    /// of the future of another executor, that awaits it, without an allocation. It is `Send` if the body of the
    /// function is.
    ///
    /// It becomes a task of its own where it runs together with others: in [`all`](crate::all), in another branch of
    /// a `join!` than the first, or in a queue of futures. [`task`](Self::task) makes it one, to be shared, cancelled
    /// or kept in a variable of a named type.
    ///
    /// ```
    /// use asynq::{AsyncTask, asynq};
    ///
    /// #[asynq]
    /// async fn double(n: u32) -> u32 {
    ///     2 * n
    /// }
    ///
    /// #[asynq]
    /// async fn sum() -> u32 {
    ///     let shared: AsyncTask<u32> = double::asynq(1).task();
    ///     double::asynq(20).await + shared.clone().await + shared.await
    /// }
    ///
    /// assert_eq!(sum(), 44);
    /// ```
    ///
    /// A function that calls itself returns an [`AsyncTask`], which is a call as well. Of functions that call each
    /// other, one has to make a task of its call.
    #[must_use = "a call does nothing unless awaited or asked for its value"]
    pub struct Call<F: Future>
    where
        F::Output: 'static,
    {
        #[pin]
        state: State<F>,
        site: &'static Site,
        at: &'static Location<'static>,
    }
}

/// Call of a mock of all threads, which makes the value in the thread that awaits it.
pub(crate) type ValueOf<T> = Box<dyn FnOnce() -> T + Send>;

#[cfg(feature = "mock")]
static MOCK: Site = Site::new("mock");

pin_project! {
    #[project = StateProjection]
    #[project_replace = StateReplacement]
    enum State<F: Future>
    where
        F::Output: 'static,
    {
        // Not polled, so it can move.
        New { future: F },
        // Polled by whoever awaits the call.
        InPlace { #[pin] future: F },
        // It has become a task of the thread.
        Task { task: SendWrapper<AsyncTask<F::Output>> },
        // It has a mock of all threads: a `ValueOf` its value.
        Mocked { value: Option<Box<dyn Any + Send>> },
        Ended,
    }
}

impl<F> Call<F>
where
    F: Future<Output: 'static> + 'static,
{
    #[track_caller]
    pub(crate) fn new(site: &'static Site, future: F) -> Self {
        Self { state: State::New { future }, site, at: Location::caller() }
    }

    /// Creates a call whose value is that of `mock`.
    #[cfg(feature = "mock")]
    pub(crate) fn mocked(mock: AsyncTask<F::Output>) -> Self {
        let state = State::Task { task: SendWrapper::new(mock) };
        Self { state, site: &MOCK, at: Location::caller() }
    }

    /// Creates a call of a mock of all threads, which makes its value in the thread that awaits it.
    #[cfg(feature = "mock")]
    pub(crate) fn mocked_everywhere(value: Box<dyn Any + Send>) -> Self {
        Self { state: State::Mocked { value: Some(value) }, site: &MOCK, at: Location::caller() }
    }

    /// Makes a task of the call.
    ///
    /// # Panics
    ///
    /// If the call has ended, or has become a task of another thread.
    pub fn task(self) -> AsyncTask<F::Output> {
        match self.state {
            State::New { future } | State::InPlace { future } => {
                AsyncTask::made_at(self.site, self.at, future)
            }
            State::Task { task } => task.take(),
            State::Mocked { value } => {
                AsyncTask::made_at(self.site, self.at, async move { value_of(value) })
            }
            State::Ended => {
                panic!("{} was used after it had returned its value", self.origin().call())
            }
        }
    }

    /// Returns the site, the place and the body of a call that is no task, or else the task.
    #[inline]
    pub(super) fn into_body(
        self,
    ) -> Result<(&'static Site, &'static Location<'static>, F), AsyncTask<F::Output>> {
        match self.state {
            State::New { future } | State::InPlace { future } => Ok((self.site, self.at, future)),
            _ => Err(self.task()),
        }
    }

    /// Runs the call to its end, as [`value`](FutureBase::value) does, and returns its value or its failure.
    ///
    /// # Errors
    ///
    /// If the call panicked or took part in a deadlock.
    pub fn outcome(self) -> Result<F::Output, TaskError> {
        match self.state {
            State::New { future } => on_stack::call(self.site, self.at, future),
            _ => self.task().outcome(),
        }
    }

    /// Returns whether awaiting the call would not wait.
    pub(super) fn is_resolved(&self) -> bool {
        match &self.state {
            State::New { .. } | State::InPlace { .. } | State::Mocked { .. } => false,
            State::Task { task } => task.is_computed(),
            State::Ended => true,
        }
    }

    fn origin(&self) -> Origin {
        Origin { site: self.site, at: self.at, creator: None }
    }
}

impl<F> Future for Call<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Output = F::Output;

    #[inline]
    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let (site, at) = (*this.site, *this.at);
        let polled = match this.state.as_mut().project() {
            StateProjection::New { .. } => start(this.state.as_mut(), site, at, cx),
            StateProjection::InPlace { future } => scheduler::with(|scheduler| {
                scheduler.begin_in_place(site, at);
                poll_in_place(scheduler, future, cx)
            }),
            StateProjection::Task { task } => Ok(poll_task(task, site, at, cx)),
            StateProjection::Mocked { value } => {
                let value = value.take();
                catch_unwind(AssertUnwindSafe(|| Poll::Ready(value_of(value))))
                    .map_err(failure_of_mock)
            }
            StateProjection::Ended => {
                let call = Origin { site, at, creator: None }.call();
                panic!("{call} was polled after it had returned its value")
            }
        };
        if !matches!(polled, Ok(Poll::Pending)) {
            this.state.set(State::Ended);
        }
        polled.unwrap_or_else(|error| scheduler::throw(error))
    }
}

/// Begins a call that was not polled before, in place or as a task, and polls it.
#[inline]
#[cfg_attr(feature = "explain", track_caller)]
fn start<F>(
    mut state: Pin<&mut State<F>>,
    site: &'static Site,
    at: &'static Location<'static>,
    cx: &mut Context<'_>,
) -> Result<Poll<F::Output>, TaskError>
where
    F: Future<Output: 'static> + 'static,
{
    let begun = state.as_mut().project_replace(State::Ended);
    let StateReplacement::New { future } = begun else { unreachable!("it was not polled before") };
    let polled = scheduler::with(|scheduler| {
        if !scheduler.try_begin_in_place(cx.waker(), site, at) {
            let task = AsyncTask::made_at(site, at, future);
            state.set(State::Task { task: SendWrapper::new(task) });
            return None;
        }
        state.set(State::InPlace { future });
        let StateProjection::InPlace { future } = state.as_mut().project() else {
            unreachable!("it has begun in place")
        };
        Some(poll_in_place(scheduler, future, cx))
    });
    // Outside of the closure, which does not know its caller.
    match (polled, state.project()) {
        (Some(polled), _) => polled,
        (None, StateProjection::Task { task }) => Ok(poll_task(task, site, at, cx)),
        (None, _) => unreachable!("it has become a task"),
    }
}

/// Polls the body of a call as a part of the poll that is in progress, after the call has begun there.
#[inline]
fn poll_in_place<F: Future>(
    scheduler: &Scheduler,
    body: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Result<Poll<F::Output>, TaskError> {
    let polled = catch_unwind(AssertUnwindSafe(|| body.poll(cx)));
    let polled = polled.map_err(|payload| failure(scheduler, payload))?;
    scheduler.end_in_place(polled.is_pending());
    Ok(polled)
}

/// Returns the value of the call of a mock of all threads.
fn value_of<T: 'static>(value: Option<Box<dyn Any + Send>>) -> T {
    let value = value.and_then(|value| value.downcast::<ValueOf<T>>().ok());
    value.expect("a mock has the type of its function")()
}

fn failure_of_mock(payload: Box<dyn Any + Send>) -> TaskError {
    scheduler::with(|scheduler| scheduler.failure(payload))
}

/// Ends a call in place whose body has panicked. Returns its failure.
#[cold]
fn failure(scheduler: &Scheduler, payload: Box<dyn Any + Send>) -> TaskError {
    let failure = scheduler.failure(payload);
    scheduler.end_in_place(false);
    failure
}

/// Polls the task of a call that was not polled in place.
#[cfg_attr(feature = "explain", track_caller)]
fn poll_task<T: 'static>(
    task: &mut SendWrapper<AsyncTask<T>>,
    site: &'static Site,
    at: &'static Location<'static>,
    cx: &mut Context<'_>,
) -> Poll<T> {
    let call = Origin { site, at, creator: None };
    assert!(task.valid(), "{} became a task of another thread", call.call());
    Pin::new(&mut **task).poll(cx)
}

impl<F> fmt::Debug for Call<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::New { .. } | State::Mocked { .. } => "not started",
            State::InPlace { .. } | State::Task { .. } => "pending",
            State::Ended => "computed",
        };
        write!(f, "AsyncCall({}, {state})", self.origin().call())
    }
}
