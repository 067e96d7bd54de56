//! A future that is set from outside.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use asynq_engine::TaskId;

use crate::error::{TaskError, TaskErrorKind};
use crate::futures::{FutureBase, sealed};
use crate::listeners::Listeners;
use crate::scheduler::{self, Scheduler};
use crate::stack::{AsynqStack, Frame, Origin, Site};
use crate::task::Runnable;

/// The side of a [`promise`] that sets the value. Dropped without a value, it makes those who
/// wait fail.
pub struct Promise<T: 'static> {
    cell: Rc<PromiseCell<T>>,
}

/// The side of a [`promise`] that is awaited.
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct PromiseFuture<T: 'static> {
    cell: Rc<PromiseCell<T>>,
}

struct PromiseCell<T> {
    state: RefCell<State<T>>,
    listeners: Listeners,
    origin: Origin,
}

enum State<T> {
    /// Not set; its id in the engine, once it was asked for.
    Pending(Option<TaskId>),
    Computed(T),
    Failed(TaskError),
    Taken,
}

/// A future that is set from outside: by another task, a callback, a flush.
///
/// Both sides belong to one thread. To be woken from another thread, await a channel instead (any
/// future will do).
///
/// ```
/// use asynq::{AsyncTask, FutureBase, all, promise};
///
/// let (promise, future) = promise();
/// let reader = AsyncTask::new(async move { future.await + 1 });
/// let writer = AsyncTask::new(async move { promise.set_value(41) });
/// assert_eq!(all((reader, writer)).value().0, 42);
/// ```
#[track_caller]
pub fn promise<T: 'static>() -> (Promise<T>, PromiseFuture<T>) {
    static PROMISE: Site = Site::new("promise");
    let creator = scheduler::with(Scheduler::creator);
    let cell = Rc::new(PromiseCell {
        state: RefCell::new(State::Pending(None)),
        listeners: Listeners::default(),
        origin: Origin { site: &PROMISE, at: Location::caller(), creator },
    });
    (Promise { cell: Rc::clone(&cell) }, PromiseFuture { cell })
}

impl<T: 'static> Promise<T> {
    /// Sets the value. Those who wait for it go on when the scheduler comes to them.
    pub fn set_value(self, value: T) {
        self.cell.set(State::Computed(value));
    }
}

impl<T: 'static> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.cell.is_computed() {
            let message = format!("the {} was dropped before it was set", self.cell);
            let error = TaskError::new(TaskErrorKind::Cancelled, message, self.cell.stack());
            self.cell.set(State::Failed(error));
        }
    }
}

impl<T> PromiseCell<T> {
    fn is_computed(&self) -> bool {
        !matches!(*self.state.borrow(), State::Pending(_))
    }

    fn set(&self, outcome: State<T>) {
        let before = mem::replace(&mut *self.state.borrow_mut(), outcome);
        if let State::Pending(Some(id)) = before {
            scheduler::try_with(|scheduler| scheduler.finish(id));
        }
        self.listeners.announce();
    }
}

impl<T: 'static> FutureBase for PromiseFuture<T> {
    fn is_computed(&self) -> bool {
        self.cell.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.listeners.call(callback);
    }
}

impl<T: 'static> sealed::Request for PromiseFuture<T> {
    fn request(&mut self, waker: Option<&Waker>) -> bool {
        let State::Pending(id) = &mut *self.cell.state.borrow_mut() else {
            return false;
        };
        scheduler::with(|scheduler| {
            let id = *id.get_or_insert_with(|| {
                scheduler.engine().add_promise(Rc::clone(&self.cell) as Rc<dyn Runnable>)
            });
            scheduler.depend(id.into());
        });
        // Nobody has to drive it, so a foreign combinator needs no more than the wake-up.
        if let Some(waker) = waker {
            self.cell.listeners.wake(waker);
        }
        true
    }
}

impl<T: 'static> Future for PromiseFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if scheduler::request(&mut *self, cx) {
            return Poll::Pending;
        }
        let state = mem::replace(&mut *self.cell.state.borrow_mut(), State::Taken);
        match state {
            State::Computed(value) => Poll::Ready(value),
            State::Failed(error) => error.throw(),
            State::Taken => panic!("a promise was polled after its end"),
            State::Pending(_) => unreachable!("`request` has waited for it"),
        }
    }
}

impl<T> fmt::Display for PromiseCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "promise made at {}", self.origin.at)
    }
}

impl<T: 'static> Runnable for PromiseCell<T> {
    fn step(&self, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("the engine does not run promises")
    }

    fn fail(&self, _: TaskError) {
        unreachable!("a promise waits for nothing, so no deadlock is its own")
    }

    fn announce(&self) {
        self.listeners.announce();
    }

    fn discard(&self) {}

    fn frame(&self) -> Rc<Frame> {
        Frame::new(self.origin.clone())
    }

    fn stack(&self) -> AsynqStack {
        self.origin.stack()
    }
}
