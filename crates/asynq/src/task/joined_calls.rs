//! Calls of an iterator in a join.

use std::cell::Cell;
use std::fmt;
use std::future::Future;

use send_wrapper::SendWrapper;

use super::call::Call;
use super::handle::AsyncTask;
use super::joined_call::JoinedCall;
use super::joined_tasks::JoinedTasks;
use crate::futures::{FutureBase, Parts};
use crate::scheduler::{self, Request, Requester};

/// Calls of an iterator in a join: see [`JoinedCall`].
///
/// Outside of tasks they are in one allocation, until the join is first polled and so knows where it is.
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
    Joined(Vec<JoinedCall<F>>),
}

impl<F> State<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn tasks(calls: impl Iterator<Item = Call<F>>) -> Self {
        Self::Tasks(SendWrapper::new(JoinedTasks::new(calls)))
    }
}

impl<F> JoinedCalls<F>
where
    F: Future<Output: 'static> + 'static,
{
    pub(super) fn new(calls: impl Iterator<Item = Call<F>>) -> Self {
        let is_in_task = scheduler::with(|scheduler| {
            scheduler.enter_call();
            scheduler.is_polling()
        });
        let state = if is_in_task { State::tasks(calls) } else { State::New(calls.collect()) };
        Self { state: Cell::new(state) }
    }

    /// Begins calls that are new: as tasks, or in place.
    fn begin(&self, in_task: bool) {
        let state = match self.state.replace(State::New(Vec::new())) {
            State::New(calls) if in_task => State::tasks(calls.into_iter()),
            State::New(calls) => State::Joined(calls.into_iter().map(JoinedCall::new).collect()),
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

impl<F> Parts for JoinedCalls<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Output = Vec<F::Output>;

    fn request(&mut self, requester: &Requester<'_>) -> bool {
        if let State::New(_) = self.state.get_mut() {
            self.begin(requester.scheduler.is_polling());
        }
        match self.state.get_mut() {
            State::Tasks(tasks) => tasks.request(requester),
            State::Joined(joined) => Parts::request(joined, requester),
            State::New(_) => unreachable!("they have begun"),
        }
    }

    fn is_computed(&self) -> bool {
        self.with(|state| match state {
            State::Tasks(tasks) => tasks.are_computed(),
            State::Joined(joined) => Parts::is_computed(joined),
            State::New(calls) => calls.is_empty(),
        })
    }

    fn take(&mut self) -> Vec<F::Output> {
        match self.state.get_mut() {
            State::Tasks(tasks) => tasks.take_values(),
            State::Joined(joined) => Parts::take(joined),
            State::New(_) => unreachable!("they are requested before their values are taken"),
        }
    }

    fn on_computed(&self, callback: Box<dyn FnOnce()>) {
        self.begin(true);
        let state = self.state.replace(State::New(Vec::new()));
        match &state {
            State::Tasks(tasks) => tasks.on_computed(callback),
            State::Joined(joined) => Parts::on_computed(joined, callback),
            State::New(_) => unreachable!("they have begun"),
        }
        self.state.set(state);
    }
}

// The calls are pinned in boxes of their own.
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
            State::Tasks(tasks) => tasks.fmt(f),
            State::Joined(joined) => f.debug_list().entries(joined).finish(),
            State::New(calls) => f.debug_list().entries(calls).finish(),
        })
    }
}
