//! Tasks: calls of async functions.

mod weak;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use asynq_engine::TaskId;

use crate::error::{TaskError, TaskErrorKind};
use crate::futures::{FutureBase, sealed};
use crate::graveyard;
use crate::listeners::Listeners;
use crate::scheduler::{self, Scheduler};
use crate::stack::{AsynqStack, Frame, Origin, Site};

pub(crate) use self::weak::WeakTask;

/// A call of an async function that runs when it is first awaited, or asked for its value.
///
/// Awaiting it, or calling [`value`](FutureBase::value), gives the value the function returns.
/// Where the value can be cloned, so can the task: it still runs only once, and each clone gives
/// the value.
///
/// A task belongs to the thread it was made on. When its last handle is dropped before its end, it
/// is cancelled.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, all};
///
/// let double = |n: u32| AsyncTask::new(async move { 2 * n });
/// let sum = AsyncTask::new(async move {
///     let doubled = all((1..=3).map(double)).await;
///     doubled.into_iter().sum::<u32>()
/// });
/// assert_eq!(sum.value(), 12);
/// ```
#[must_use = "a task does not start before it is awaited or asked for its value"]
pub struct AsyncTask<T: 'static> {
    cell: Rc<TaskCell<T>>,
}

type Body<T> = Pin<Box<dyn Future<Output = T>>>;

type CloneValue<T> = fn(&T) -> T;

struct TaskCell<T> {
    state: RefCell<State<T>>,
    /// Its id in the engine, from when it is first asked for until its end.
    id: Cell<Option<TaskId>>,
    handles: Cell<usize>,
    /// How to clone the value. Set by the first clone of the task, the only place where it is
    /// known that the value can be cloned.
    clone_value: Cell<Option<CloneValue<T>>>,
    listeners: Listeners,
    origin: Origin,
    frame: OnceCell<Rc<Frame>>,
}

enum State<T> {
    Pending {
        /// Away while it is polled.
        body: Option<Body<T>>,
        /// Why the task is to end in its next step, where its body is dropped under the contexts
        /// it has entered.
        failure: Option<TaskError>,
    },
    Computed(T),
    Failed(TaskError),
    Taken,
}

/// What the scheduler knows of a task.
pub(crate) trait Runnable: fmt::Display {
    /// Runs the task until it waits or has ended.
    fn step(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// Makes the task fail, unless it has ended. Its body is dropped in its next step, under its
    /// own contexts.
    fn fail(&self, error: TaskError);
    /// Tells those who wait outside of tasks that it has ended.
    fn announce(&self);
    /// Drops the body of a task that nobody can ask for its value any more.
    fn discard(&self);
    /// The frame that tasks created by this one name as their creator.
    fn frame(&self) -> Rc<Frame>;
    fn stack(&self) -> AsynqStack;
}

impl<T: 'static> AsyncTask<T> {
    /// A task that runs `future`. It is what `#[asynq]` makes of a call; use it to give a task of
    /// its own to a block, or to a future from elsewhere.
    #[track_caller]
    pub fn new(future: impl Future<Output = T> + 'static) -> Self {
        static BLOCK: Site = Site::new("async block");
        Self::with_site(&BLOCK, future)
    }

    #[track_caller]
    pub(crate) fn with_site(
        site: &'static Site,
        future: impl Future<Output = T> + 'static,
    ) -> Self {
        let creator = scheduler::with(Scheduler::creator);
        let origin = Origin { site, at: Location::caller(), creator };
        Self::from_body(origin, Box::pin(future))
    }

    fn from_body(origin: Origin, body: Body<T>) -> Self {
        Self {
            cell: Rc::new(TaskCell {
                state: RefCell::new(State::Pending { body: Some(body), failure: None }),
                id: Cell::new(None),
                handles: Cell::new(1),
                clone_value: Cell::new(None),
                listeners: Listeners::default(),
                origin,
                frame: OnceCell::new(),
            }),
        }
    }

    /// The value now, as [`value`](FutureBase::value), or why there is none.
    ///
    /// # Errors
    ///
    /// If the task panicked, was cancelled, or can never run.
    ///
    /// ```
    /// use asynq::{AsyncTask, TaskErrorKind};
    ///
    /// let task = AsyncTask::new(async { [1, 2, 3].iter().position(|&n| n == 4).unwrap() });
    /// assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Panicked);
    /// ```
    pub fn outcome(self) -> Result<T, TaskError> {
        if !self.cell.is_computed() {
            let root = self.cell.register();
            scheduler::with(|scheduler| scheduler.call(root))?;
        }
        self.cell.take()
    }

    /// Ends the task without a value. Those who wait for it fail with a
    /// [`TaskErrorKind::Cancelled`]. Does nothing to a task that has ended.
    pub fn cancel(&self) {
        if self.is_computed() {
            return;
        }
        let message = format!("{} was cancelled", self.cell);
        let error = TaskError::new(TaskErrorKind::Cancelled, message, self.cell.stack());
        let pending = mem::replace(&mut *self.cell.state.borrow_mut(), State::Failed(error));
        let dropped = drop_quietly(pending);
        self.cell.end();
        pass_on(dropped);
    }

    /// The id in the engine of a task that has not ended.
    pub(crate) fn register(&self) -> TaskId {
        self.cell.register()
    }
}

impl<T: 'static> FutureBase for AsyncTask<T> {
    fn is_computed(&self) -> bool {
        self.cell.is_computed()
    }

    fn value(self) -> T {
        self.outcome().unwrap_or_else(|error| {
            if scheduler::with(|scheduler| scheduler.engine().depth()) > 0 {
                error.throw()
            }
            error.throw_outside()
        })
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.listeners.call(callback);
    }
}

impl<T: 'static> sealed::Request for AsyncTask<T> {
    fn request(&mut self, waker: Option<&Waker>) -> bool {
        if self.is_computed() {
            return false;
        }
        let id = self.cell.register();
        scheduler::with(|scheduler| {
            scheduler.depend(id.into());
            if let Some(waker) = waker {
                self.cell.listeners.wake(waker);
                scheduler.asked_by_foreign(id.into());
            }
        });
        true
    }
}

impl<T: 'static> Future for AsyncTask<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if scheduler::request(&mut *self, cx) {
            return Poll::Pending;
        }
        Poll::Ready(self.cell.take().unwrap_or_else(|error| error.throw()))
    }
}

/// Another handle to the same task: it runs once, and each handle gives the value.
impl<T: Clone + 'static> Clone for AsyncTask<T> {
    fn clone(&self) -> Self {
        self.cell.clone_value.set(Some(T::clone));
        self.cell.handles.set(self.cell.handles.get() + 1);
        Self { cell: Rc::clone(&self.cell) }
    }
}

impl<T: 'static> Drop for AsyncTask<T> {
    fn drop(&mut self) {
        let handles = self.cell.handles.get() - 1;
        self.cell.handles.set(handles);
        if handles == 0 && !self.is_computed() {
            let buried = graveyard::bury(Rc::clone(&self.cell) as Rc<dyn Runnable>);
            self.cell.end();
            pass_on(buried);
        }
    }
}

impl<T: 'static> fmt::Debug for AsyncTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.cell.state.try_borrow().as_deref() {
            Ok(State::Pending { .. }) if self.cell.id.get().is_none() => "not started",
            Ok(State::Pending { .. }) => "pending",
            Ok(State::Computed(_) | State::Taken) => "computed",
            Ok(State::Failed(_)) => "failed",
            Err(_) => "ending",
        };
        write!(f, "AsyncTask({}, {state})", self.cell)
    }
}

impl<T> fmt::Display for TaskCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin.call())
    }
}

impl<T: 'static> TaskCell<T> {
    fn is_computed(&self) -> bool {
        !matches!(*self.state.borrow(), State::Pending { .. })
    }

    fn register(self: &Rc<Self>) -> TaskId {
        self.id.get().unwrap_or_else(|| {
            let id = scheduler::with(|s| s.engine().add_task(Rc::clone(self) as Rc<dyn Runnable>));
            self.id.set(Some(id));
            id
        })
    }

    /// What the task has ended with, for one of its handles.
    fn take(&self) -> Result<T, TaskError> {
        if let (Some(clone), 2..) = (self.clone_value.get(), self.handles.get())
            && let State::Computed(value) = &*self.state.borrow()
        {
            return Ok(clone(value));
        }
        let mut state = self.state.borrow_mut();
        match mem::replace(&mut *state, State::Taken) {
            State::Computed(value) => Ok(value),
            State::Failed(error) => {
                *state = State::Failed(error.clone());
                Err(error)
            }
            State::Taken => panic!("a task was polled after its end"),
            State::Pending { .. } => unreachable!("asked only when it has ended"),
        }
    }

    /// The task was ended from outside of its own steps.
    fn end(&self) {
        if let Some(id) = self.id.take() {
            scheduler::try_with(|scheduler| scheduler.finish(id));
        }
        self.announce();
    }
}

/// Drops something of a user's; tells what it panicked with.
fn drop_quietly<T>(value: T) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| drop(value)))
}

/// Goes on with a panic that was held up, unless there is one already: two would abort the process.
fn pass_on(result: thread::Result<()>) {
    if let Err(payload) = result
        && !thread::panicking()
    {
        resume_unwind(payload);
    }
}

impl<T: 'static> Runnable for TaskCell<T> {
    fn step(&self, cx: &mut Context<'_>) -> Poll<()> {
        let (mut body, failing) = match &mut *self.state.borrow_mut() {
            State::Pending { body, failure } => (body.take(), failure.is_some()),
            _ => (None, false),
        };
        let polled = match &mut body {
            Some(body) if !failing => catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))),
            _ => Ok(Poll::Pending),
        };
        if let (Ok(Poll::Pending), State::Pending { body: place, failure: None }) =
            (&polled, &mut *self.state.borrow_mut())
        {
            *place = body;
            return Poll::Pending;
        }
        // Locals that panic when they are dropped make the task fail as well.
        let dropped = drop_quietly(body);
        let failure = match &mut *self.state.borrow_mut() {
            State::Pending { failure, .. } => Some(failure.take()),
            _ => None,
        };
        let Some(failure) = failure else {
            // Cancelled by what it ran itself: nobody wants to know how it went on.
            drop(drop_quietly(polled));
            return Poll::Ready(());
        };
        let outcome = match (failure, polled, dropped) {
            (Some(error), ..) => State::Failed(error),
            (None, Ok(Poll::Ready(value)), Ok(())) => State::Computed(value),
            (None, Err(payload), _) | (None, _, Err(payload)) => {
                State::Failed(TaskError::from_panic(payload, || self.stack()))
            }
            (None, Ok(Poll::Pending), Ok(())) => unreachable!("it goes on"),
        };
        *self.state.borrow_mut() = outcome;
        self.id.set(None);
        Poll::Ready(())
    }

    fn fail(&self, error: TaskError) {
        if let State::Pending { failure, .. } = &mut *self.state.borrow_mut() {
            failure.get_or_insert(error);
        }
    }

    fn announce(&self) {
        self.listeners.announce();
    }

    fn discard(&self) {
        let state = mem::replace(&mut *self.state.borrow_mut(), State::Taken);
        drop(state);
    }

    fn frame(&self) -> Rc<Frame> {
        Rc::clone(self.frame.get_or_init(|| Frame::new(self.origin.clone())))
    }

    fn stack(&self) -> AsynqStack {
        self.origin.stack()
    }
}
