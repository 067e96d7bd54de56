//! Calls of an iterator in a join.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_util::FutureExt;
use futures_util::future::{CatchUnwind, JoinAll, join_all};
use send_wrapper::SendWrapper;

use super::call::Call;
use super::handle::AsyncTask;
use super::joined_call::JoinedCall;
use super::joined_tasks::JoinedTasks;
use super::polled_calls::PolledCalls;
use crate::futures::{FutureBase, Parts};
use crate::scheduler::{self, Request, Requester};

/// Calls of an iterator, or a `Vec`, in a join: see [`JoinedCall`].
///
/// Outside of tasks they are in one allocation until the join is first polled, and from then on in groups, of which only
/// those are polled that were woken.
#[must_use = "calls do nothing unless awaited or asked for their values"]
pub struct JoinedCalls<F: Future<Output: 'static> + 'static> {
    /// A cell, because a callback on the join makes tasks of them.
    state: Cell<State<F>>,
}

enum State<F: Future<Output: 'static> + 'static> {
    New(Vec<Call<F>>),
    /// Tasks of the thread that made them.
    Tasks(SendWrapper<JoinedTasks<F>>),
    /// Polled outside of tasks.
    InPlace(InPlace<F>),
    /// The task of calls that were polled outside of tasks before.
    Rest(SendWrapper<AsyncTask<Vec<thread::Result<F::Output>>>>),
    /// The values of calls that were polled outside of tasks, or their panics.
    Ended(Vec<thread::Result<F::Output>>),
}

/// Calls that are polled outside of tasks.
enum InPlace<F: Future<Output: 'static> + 'static> {
    /// All are polled together.
    Few(JoinAll<Caught<F>>),
    Many(PolledCalls<Call<F>>),
}

/// Maximum number of calls that are polled together.
const FEW: usize = 30;

/// A call whose panic does not stop the others.
type Caught<F> = CatchUnwind<AssertUnwindSafe<Call<F>>>;

impl<F> JoinedCalls<F>
where
    F: Future<Output: 'static> + 'static,
{
    pub(super) fn new(calls: impl Iterator<Item = Call<F>>) -> Self {
        let is_in_task = scheduler::with(|scheduler| {
            scheduler.enter_call();
            scheduler.is_polling()
        });
        let calls = if is_in_task { State::tasks(calls) } else { State::New(calls.collect()) };
        Self { state: Cell::new(calls) }
    }

    /// Makes tasks of calls, or begins them in place.
    fn begin(&self, in_task: bool) {
        let state = match self.state.replace(State::New(Vec::new())) {
            State::New(calls) if in_task => State::tasks(calls.into_iter()),
            State::New(calls) => State::InPlace(InPlace::new(calls)),
            State::InPlace(rest) if in_task => State::Rest(SendWrapper::new(AsyncTask::new(rest))),
            begun => begun,
        };
        self.state.set(state);
    }

    /// Calls `f` with the state. No code of users runs meanwhile.
    fn with<R>(&self, f: impl FnOnce(&State<F>) -> R) -> R {
        let state = self.state.replace(State::New(Vec::new()));
        let result = f(&state);
        self.state.set(state);
        result
    }
}

impl<F> InPlace<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn new(calls: Vec<Call<F>>) -> Self {
        if calls.len() > FEW {
            return Self::Many(PolledCalls::new(calls));
        }
        let catch = |call: Call<F>| AssertUnwindSafe(call).catch_unwind();
        Self::Few(join_all(calls.into_iter().map(catch)))
    }
}

impl<F> Future for InPlace<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Output = Vec<thread::Result<F::Output>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Few(calls) => Pin::new(calls).poll(cx),
            Self::Many(calls) => Pin::new(calls).poll(cx),
        }
    }
}

impl<F> State<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn tasks(calls: impl Iterator<Item = Call<F>>) -> Self {
        Self::Tasks(SendWrapper::new(JoinedTasks::new(calls)))
    }

    /// Polls calls that are no tasks. Returns whether any of them is pending.
    fn poll_in_place(&mut self, waker: &Waker) -> bool {
        let Self::InPlace(calls) = self else { return false };
        match Pin::new(calls).poll(&mut Context::from_waker(waker)) {
            Poll::Ready(values) => {
                *self = Self::Ended(values);
                false
            }
            Poll::Pending => true,
        }
    }
}

impl<F> Parts for JoinedCalls<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Output = Vec<F::Output>;

    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.begin(requester.scheduler.is_polling());
        match self.state.get_mut() {
            State::Tasks(tasks) => tasks.request(requester),
            State::Rest(task) => task.request(requester),
            calls => calls.poll_in_place(requester.waker.unwrap_or_else(|| Waker::noop())),
        }
    }

    fn is_computed(&self) -> bool {
        self.with(|state| match state {
            State::New(calls) => calls.is_empty(),
            State::Tasks(tasks) => tasks.are_computed(),
            State::InPlace(_) => false,
            State::Rest(task) => task.is_computed(),
            State::Ended(_) => true,
        })
    }

    fn take(&mut self) -> Vec<F::Output> {
        let values = match self.state.get_mut() {
            State::Tasks(tasks) => return tasks.take_values(),
            State::Rest(task) => Request::take(&mut **task),
            State::Ended(values) => mem::take(values),
            State::New(_) | State::InPlace(_) => {
                unreachable!("they are requested before their values are taken")
            }
        };
        let value = |value: thread::Result<_>| value.unwrap_or_else(|panic| resume_unwind(panic));
        values.into_iter().map(value).collect()
    }

    fn on_computed(&self, callback: Box<dyn FnOnce()>) {
        self.begin(true);
        let state = self.state.replace(State::New(Vec::new()));
        match &state {
            State::Tasks(tasks) => tasks.on_computed(callback),
            State::Rest(task) => task.on_computed(callback),
            State::Ended(_) => callback(),
            State::New(_) | State::InPlace(_) => unreachable!("they are tasks"),
        }
        self.state.set(state);
    }
}

// No call is pinned in here: each of them is in an allocation of a group, or not polled yet.
impl<F: Future<Output: 'static> + 'static> Unpin for JoinedCalls<F> {}

impl<F> FutureBase for Call<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Joined = JoinedCall<F>;

    fn into_joined(self) -> JoinedCall<F> {
        JoinedCall::new(self)
    }

    type JoinedAll = JoinedCalls<F>;

    fn join_all(calls: impl Iterator<Item = Self>) -> JoinedCalls<F> {
        JoinedCalls::new(calls)
    }

    type Mocked = AsyncTask<F::Output>;

    fn into_mocked(self) -> AsyncTask<F::Output> {
        self.task()
    }

    fn is_computed(&self) -> bool {
        self.is_resolved()
    }

    fn value(self) -> F::Output {
        match self.outcome() {
            Ok(value) => value,
            Err(error) => scheduler::throw(error),
        }
    }

    fn on_computed(&self, _: impl FnOnce() + 'static)
    where
        Self: Request,
    {
        unreachable!("a call is no `Request`")
    }
}

impl<F> fmt::Debug for JoinedCalls<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| match state {
            State::New(calls) => f.debug_list().entries(calls).finish(),
            State::Tasks(tasks) => tasks.fmt(f),
            State::InPlace(_) => f.write_str("JoinedCalls(pending)"),
            State::Rest(task) => task.fmt(f),
            State::Ended(_) => f.write_str("JoinedCalls(computed)"),
        })
    }
}
