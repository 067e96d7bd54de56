//! Calls in joins.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use send_wrapper::SendWrapper;

use super::call::Call;
use super::computation::{Body, BodyOf, Run};
use super::handle::AsyncTask;
use crate::futures::{FutureBase, joins_as_itself};
use crate::scheduler::{self, Request, Requester};

/// Call in a join, such as [`all`](crate::all).
///
/// In a task it is a task, since the scheduler orders what runs together. Outside of tasks, as in a
/// [`request`](crate::request()), it is polled in place. So a join is `Send` if the bodies of its calls are.
#[must_use = "a call does nothing unless awaited or asked for its value"]
pub struct JoinedCall<F: Future<Output: 'static>> {
    /// A cell, because a callback on the call makes a task of it.
    state: Cell<State<F>>,
}

/// A call outside of tasks, or its value.
type InPlace<F> = Run<Call<F>, <F as Future>::Output>;

enum State<F: Future<Output: 'static>> {
    /// The task of the call, in the thread that made it.
    Task(SendWrapper<AsyncTask<F::Output>>),
    /// Not polled, so it can move.
    New(Box<InPlace<F>>),
    InPlace(Pin<Box<InPlace<F>>>),
    Panicked(Box<dyn Any + Send>),
    /// Its value was taken.
    Ended,
}

impl<F> JoinedCall<F>
where
    F: Future<Output: 'static> + 'static,
{
    pub(super) fn new(call: Call<F>) -> Self {
        let is_in_task = scheduler::with(|scheduler| {
            scheduler.enter_call();
            scheduler.is_polling()
        });
        let state = if is_in_task {
            State::Task(SendWrapper::new(call.task()))
        } else {
            State::New(Box::new(Run::Pending { future: call }))
        };
        Self { state: Cell::new(state) }
    }

    /// Makes a task of a call that has not ended.
    fn make_task(&self) {
        let task = match self.state.replace(State::Ended) {
            State::New(call) => match *call {
                Run::Pending { future } => future.task(),
                Run::Ended { .. } => unreachable!("it was not polled"),
            },
            State::InPlace(call) if call.value().is_none() => AsyncTask::new(Rest(call)),
            other => return self.state.set(other),
        };
        self.state.set(State::Task(SendWrapper::new(task)));
    }

    /// Polls a call that is not a task. Returns whether it is pending.
    fn poll_in_place(&mut self, waker: &Waker) -> bool {
        let mut call = match self.state.replace(State::Ended) {
            State::New(call) => Box::into_pin(call),
            State::InPlace(call) => call,
            other => {
                self.state.set(other);
                return false;
            }
        };
        let mut cx = Context::from_waker(waker);
        // The others of the join run to their ends, too.
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut cx)));
        let is_pending = matches!(polled, Ok(Poll::Pending));
        self.state.set(match polled {
            Ok(_) => State::InPlace(call),
            Err(payload) => State::Panicked(payload),
        });
        is_pending
    }
}

impl<F> Request for JoinedCall<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        if !matches!(self.state.get_mut(), State::Task(_)) && requester.scheduler.is_polling() {
            self.make_task();
        }
        match self.state.get_mut() {
            State::Task(task) => task.request(requester),
            _ => self.poll_in_place(requester.waker.unwrap_or_else(|| Waker::noop())),
        }
    }

    fn take(&mut self) -> F::Output {
        let value = match self.state.replace(State::Ended) {
            State::Task(task) => return Request::take(&mut task.take()),
            State::InPlace(mut call) => call.as_mut().take(),
            State::Panicked(payload) => resume_unwind(payload),
            State::New(_) | State::Ended => None,
        };
        value.unwrap_or_else(|| panic!("a call was polled after it had returned its value"))
    }
}

impl<F> Future for JoinedCall<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<F> FutureBase for JoinedCall<F>
where
    F: Future<Output: 'static> + 'static,
{
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        let state = self.state.replace(State::Ended);
        let is_computed = match &state {
            State::Task(task) => task.is_computed(),
            State::New(_) => false,
            State::InPlace(call) => call.value().is_some(),
            State::Panicked(_) | State::Ended => true,
        };
        self.state.set(state);
        is_computed
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.make_task();
        match self.state.replace(State::Ended) {
            State::Task(task) => {
                task.on_computed(callback);
                self.state.set(State::Task(task));
            }
            ended => {
                self.state.set(ended);
                callback();
            }
        }
    }
}

impl<F> fmt::Debug for JoinedCall<F>
where
    F: Future<Output: 'static> + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_computed() { "JoinedCall(computed)" } else { "JoinedCall(pending)" })
    }
}

/// The rest of a call that has begun outside of tasks.
struct Rest<F: Future<Output: 'static>>(Pin<Box<InPlace<F>>>);

impl<F> Future for Rest<F>
where
    F: Future<Output: 'static> + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.0.as_mut().poll(cx);
        polled.map(|()| self.0.as_mut().take().expect("it has ended with a value"))
    }
}
