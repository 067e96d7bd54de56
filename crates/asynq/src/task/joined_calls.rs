//! Calls of an iterator in a join.

use std::cell::Cell;
use std::fmt;
use std::future::Future;

use super::call::Call;
use super::handle::AsyncTask;
use super::joined_call::JoinedCall;
use crate::futures::{FutureBase, Parts};
use crate::scheduler::{self, Request, Requester, Scheduler};

/// Calls of an iterator in a join: see [`JoinedCall`].
///
/// Outside of tasks they are in one allocation, until the join is first polled and so knows where it is.
#[must_use = "calls do nothing unless awaited or asked for their values"]
pub struct JoinedCalls<F: Future<Output: 'static>> {
    /// A cell, because a callback on the join makes tasks of them.
    state: Cell<State<F>>,
}

enum State<F: Future<Output: 'static>> {
    New(Vec<Call<F>>),
    Joined(Vec<JoinedCall<F>>),
}

impl<F> JoinedCalls<F>
where
    F: Future<Output: 'static> + 'static,
{
    pub(super) fn new(calls: impl Iterator<Item = Call<F>>) -> Self {
        let is_in_task = scheduler::with(Scheduler::is_polling);
        let state = if is_in_task {
            State::Joined(calls.map(JoinedCall::new).collect())
        } else {
            State::New(calls.collect())
        };
        Self { state: Cell::new(state) }
    }

    fn join(&self) {
        let joined = match self.state.replace(State::Joined(Vec::new())) {
            State::New(calls) => calls.into_iter().map(JoinedCall::new).collect(),
            State::Joined(joined) => joined,
        };
        self.state.set(State::Joined(joined));
    }

    /// Calls `f` with the calls that have been joined.
    fn with<R>(&self, f: impl FnOnce(&Vec<JoinedCall<F>>) -> R) -> Option<R> {
        let state = self.state.replace(State::Joined(Vec::new()));
        let result = match &state {
            State::New(_) => None,
            State::Joined(joined) => Some(f(joined)),
        };
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
            self.join();
        }
        match self.state.get_mut() {
            State::Joined(joined) => Parts::request(joined, requester),
            State::New(_) => unreachable!("they have been joined"),
        }
    }

    fn is_computed(&self) -> bool {
        self.with(Parts::is_computed).unwrap_or(false)
    }

    fn take(&mut self) -> Vec<F::Output> {
        match self.state.get_mut() {
            State::Joined(joined) => Parts::take(joined),
            State::New(_) => unreachable!("they are requested before their values are taken"),
        }
    }

    fn on_computed(&self, callback: Box<dyn FnOnce()>) {
        self.join();
        self.with(|joined| Parts::on_computed(joined, callback));
    }
}

// The calls are pinned in boxes of their own.
impl<F: Future<Output: 'static>> Unpin for JoinedCalls<F> {}

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
        self.outcome().unwrap_or_else(|error| scheduler::throw(error))
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
        match self.with(|joined| f.debug_list().entries(joined).finish()) {
            Some(result) => result,
            None => f.write_str("JoinedCalls(not started)"),
        }
    }
}
