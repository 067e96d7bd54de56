//! The cell of a task or promise: a body that is polled, and later its value.

use std::cell::{Cell, OnceCell, Ref};
use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use asynq_engine::TaskId;
use pin_cell::{PinCell, PinMut};
use pin_project_lite::pin_project;

use crate::call_stack::{AsynqStack, Call, Creator, Origin};
use crate::callbacks::Callbacks;
use crate::error::TaskError;
use crate::recording;
use crate::waiting_calls::WaitingId;

pin_project! {
    /// A computation, in one allocation with its body.
    ///
    /// The body stays borrowed while it is polled. Whatever ends the computation meanwhile only
    /// sets `phase`; the end of that poll then drops the body.
    pub(crate) struct Computation<B: ?Sized> {
        // Id in the engine, from the first request until the end.
        pub(crate) id: Cell<Option<TaskId>>,
        pub(crate) handles: Cell<u32>,
        phase: Cell<Phase>,
        // The calls that wait as parts of it, as the last poll has left them.
        waiting: Cell<WaitingId>,
        notes: Cell<Option<Box<Notes>>>,
        origin: Origin,
        creator: OnceCell<Rc<Creator>>,
        #[pin]
        body: PinCell<B>,
    }
}

/// Notes on a computation, which few have.
#[derive(Default)]
struct Notes {
    /// Set when the computation has failed, or fails in its next step.
    failure: Option<TaskError>,
    callbacks: Callbacks,
}

/// Result of a step of a computation.
#[derive(Clone, Copy)]
pub(crate) struct Stepped {
    /// It still waits.
    pub(crate) is_pending: bool,
    /// It may have callbacks.
    pub(crate) has_notes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Alive,
    /// Ends in its next step, which drops the body under the contexts that it has entered.
    Failing,
    Ended,
}

/// A computation as the scheduler knows it.
#[derive(Clone)]
pub(crate) enum AnyComputation {
    Alone(Pin<Rc<Computation<dyn Body>>>),
    /// One of several in an allocation.
    Joined {
        with: Pin<Rc<dyn Computations>>,
        index: u8,
    },
}

/// Several computations in one allocation.
pub(crate) trait Computations {
    fn at(self: Pin<&Self>, index: u8) -> Pin<&Computation<dyn Body>>;
    /// Runs one of them until it waits or has ended.
    fn step(self: Pin<&Self>, index: u8, cx: &mut Context<'_>) -> Stepped;
}

impl AnyComputation {
    /// Creates a computation in an allocation of its own, which belongs to nobody else.
    pub(crate) fn new(origin: Origin, body: impl Body + 'static) -> Self {
        Self::Alone(Computation::new(origin, body))
    }

    #[inline]
    pub(crate) fn as_ref(&self) -> Pin<&Computation<dyn Body>> {
        match self {
            Self::Alone(cell) => cell.as_ref(),
            Self::Joined { with, index } => with.as_ref().at(*index),
        }
    }

    /// Runs it until it waits or has ended.
    #[inline(always)]
    pub(crate) fn step(&self, cx: &mut Context<'_>) -> Stepped {
        match self {
            Self::Alone(cell) => cell.as_ref().step(cx),
            Self::Joined { with, index } => with.as_ref().step(*index, cx),
        }
    }
}

impl Deref for AnyComputation {
    type Target = Computation<dyn Body>;

    #[inline]
    fn deref(&self) -> &Computation<dyn Body> {
        self.as_ref().get_ref()
    }
}

/// Body of a computation: polled until it has its value.
pub(crate) trait Body {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
    /// Drops the future, or the value.
    fn clear(self: Pin<&mut Self>);
}

/// A body whose value is a `T`.
pub(crate) trait BodyOf<T>: Body {
    fn value(&self) -> Option<&T>;
    fn take(self: Pin<&mut Self>) -> Option<T>;
}

pin_project! {
    /// The body of a task.
    #[project = RunProjection]
    pub(crate) enum Run<F, T> {
        Pending { #[pin] future: F },
        Ended { value: Option<T> },
    }
}

impl<F: Future> Body for Run<F, F::Output> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let RunProjection::Pending { future } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        future.poll(cx).map(|value| self.set(Self::Ended { value: Some(value) }))
    }

    fn clear(mut self: Pin<&mut Self>) {
        self.set(Self::Ended { value: None });
    }
}

impl<F: Future> BodyOf<F::Output> for Run<F, F::Output> {
    fn value(&self) -> Option<&F::Output> {
        match self {
            Self::Ended { value } => value.as_ref(),
            Self::Pending { .. } => None,
        }
    }

    fn take(self: Pin<&mut Self>) -> Option<F::Output> {
        match self.project() {
            RunProjection::Ended { value } => value.take(),
            RunProjection::Pending { .. } => None,
        }
    }
}

impl<B> Computation<B> {
    pub(crate) fn new(origin: Origin, body: B) -> Pin<Rc<Self>> {
        Rc::pin(Self::of(origin, body))
    }

    /// Creates a computation that is not pinned yet.
    pub(crate) fn of(origin: Origin, body: B) -> Self {
        Self {
            id: Cell::new(None),
            handles: Cell::new(1),
            phase: Cell::new(Phase::Alive),
            waiting: Cell::default(),
            notes: Cell::new(None),
            origin,
            creator: OnceCell::new(),
            body: PinCell::new(body),
        }
    }
}

impl<B: ?Sized> Computation<B> {
    /// Returns whether it has ended, with a value or a failure.
    #[inline]
    pub(crate) fn is_computed(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    /// Returns whether nobody has asked for it.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        self.id.get().is_none() && self.phase.get() == Phase::Alive
    }

    /// Borrows the body, which is free between two polls.
    pub(crate) fn body(self: Pin<&Self>) -> PinMut<'_, B> {
        self.project_ref().body.borrow_mut()
    }

    /// Borrows the body to read it; several readers may.
    pub(crate) fn shared_body(&self) -> Ref<'_, B> {
        self.body.borrow()
    }

    /// Returns whether its own body is being polled.
    pub(crate) fn is_polled(&self) -> bool {
        self.body.try_borrow().is_err()
    }

    #[inline]
    fn has_notes(&self) -> bool {
        let notes = self.notes.take();
        let has_notes = notes.is_some();
        self.notes.set(notes);
        has_notes
    }

    /// Reads the notes, if there are any. No code of users runs meanwhile.
    fn read_notes<R>(&self, read: impl FnOnce(&mut Notes) -> Option<R>) -> Option<R> {
        let mut notes = self.notes.take();
        let result = notes.as_deref_mut().and_then(read);
        self.notes.set(notes);
        result
    }

    /// Writes a note. No code of users runs meanwhile.
    fn write_notes<R>(&self, write: impl FnOnce(&mut Notes) -> R) -> R {
        let mut notes = self.notes.take().unwrap_or_default();
        let result = write(&mut notes);
        self.notes.set(Some(notes));
        result
    }

    #[inline]
    pub(crate) fn failure(&self) -> Option<TaskError> {
        if self.has_notes() { self.noted_failure() } else { None }
    }

    #[cold]
    fn noted_failure(&self) -> Option<TaskError> {
        self.read_notes(|notes| notes.failure.clone())
    }

    /// Calls `callback` when it has ended.
    pub(crate) fn add_callback(&self, callback: impl FnOnce() + 'static) {
        self.write_notes(|notes| notes.callbacks.add(callback));
    }

    /// Wakes `waker` when it has ended.
    pub(crate) fn add_waker(&self, waker: &Waker) {
        // Cloning and comparing wakers is code of their executors.
        let callbacks = self.take_callbacks().unwrap_or_default();
        callbacks.add_waker(waker);
        self.write_notes(|notes| notes.callbacks = callbacks);
    }

    /// Runs and removes the callbacks.
    #[inline]
    pub(crate) fn run_callbacks(&self) {
        if let Some(callbacks) = self.take_callbacks() {
            callbacks.run();
        }
    }

    fn take_callbacks(&self) -> Option<Callbacks> {
        self.read_notes(|notes| Some(mem::take(&mut notes.callbacks)))
    }

    /// Notes which calls wait as parts of it.
    #[inline]
    pub(crate) fn set_waiting(&self, calls: WaitingId) {
        self.waiting.set(calls);
    }

    /// Returns the calls that wait as parts of it.
    pub(crate) fn waiting(&self) -> WaitingId {
        self.waiting.get()
    }

    /// Returns the result of a step.
    #[inline]
    pub(crate) fn stepped(&self, is_pending: bool) -> Stepped {
        Stepped { is_pending, has_notes: self.has_notes() }
    }

    /// Makes it fail in its next step, unless it has ended or is failing already.
    pub(crate) fn fail(&self, error: TaskError) {
        if self.phase.get() == Phase::Alive {
            self.write_notes(|notes| notes.failure = Some(error));
            self.phase.set(Phase::Failing);
        }
    }

    /// Marks it as ended outside of a step. The caller tells the scheduler and runs the callbacks.
    pub(crate) fn set_ended(&self, failure: Option<TaskError>) {
        self.phase.set(Phase::Ended);
        let before = match failure {
            Some(failure) => self.write_notes(|notes| notes.failure.replace(failure)),
            None => self.read_notes(|notes| notes.failure.take()),
        };
        drop(before);
    }

    /// Returns the entry that the tasks which this one creates name as their creator.
    pub(crate) fn as_creator(&self) -> Rc<Creator> {
        Rc::clone(self.creator.get_or_init(|| Creator::new(self.origin.clone())))
    }

    /// Records that it is requested for the first time.
    #[cold]
    pub(crate) fn record_creation(&self, id: TaskId) {
        recording::created(id, self.origin.site, self.origin.at);
    }

    /// Returns the place of the call that made it.
    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.origin.at
    }

    /// Returns the call that made it.
    pub(crate) fn call(&self) -> Call {
        self.origin.call()
    }

    /// Returns the call of the task that created it.
    pub(crate) fn creator(&self) -> Option<Call> {
        self.origin.creator.as_ref().map(|creator| creator.call())
    }

    pub(crate) fn stack(&self) -> AsynqStack {
        self.origin.stack()
    }
}

impl<B: ?Sized> Computation<B> {
    /// Takes the value or failure of one that has ended, for its only handle or the last.
    #[inline]
    pub(crate) fn take_result<T>(self: Pin<&Self>) -> Result<T, TaskError>
    where
        B: BodyOf<T>,
    {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let value = PinMut::as_mut(&mut self.body()).take();
        Ok(value.unwrap_or_else(|| {
            panic!("{} was polled after it had returned its value", self.get_ref())
        }))
    }
}

impl<B: Body + ?Sized> Computation<B> {
    /// Runs it until it waits or has ended.
    #[inline(always)]
    pub(crate) fn step(self: Pin<&Self>, cx: &mut Context<'_>) -> Stepped {
        // One that has ended was ended by a call that was made while its locals were dropped.
        let is_pending = !self.is_computed()
            && self.step_body(PinMut::as_mut(&mut self.body()), cx).is_pending();
        self.stepped(is_pending)
    }

    /// Drops the contents of the body, or leaves that to the poll that borrows it. Returns the
    /// panic of a destructor.
    pub(crate) fn clear(self: Pin<&Self>) -> thread::Result<()> {
        match self.project_ref().body.try_borrow_mut() {
            Ok(mut body) => catch_panic(|| PinMut::as_mut(&mut body).clear()),
            Err(_) => Ok(()),
        }
    }

    /// Ends it and drops its body, when no handle is left that could ask for its value.
    pub(crate) fn discard(self: Pin<&Self>) -> thread::Result<()> {
        self.phase.set(Phase::Ended);
        self.clear()
    }
}

/// # Bodies
///
/// The body of a synchronous call is on the stack of its caller, not in the computation.
impl<B: ?Sized> Computation<B> {
    /// Runs `body` until it waits or has ended.
    #[inline(always)]
    pub(crate) fn step_body(
        &self,
        mut body: Pin<&mut (impl Body + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.waiting.set(WaitingId::NONE);
        let polled = if self.phase.get() == Phase::Failing {
            Ok(Poll::Pending)
        } else {
            catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx)))
        };
        self.end_step(body, polled)
    }

    /// Ends a step of `body`, whose poll has returned `polled`, or panicked. Returns whether the body still waits.
    #[inline(always)]
    pub(crate) fn end_step(
        &self,
        body: Pin<&mut (impl Body + ?Sized)>,
        polled: thread::Result<Poll<()>>,
    ) -> Poll<()> {
        match (polled, self.phase.get()) {
            (Ok(Poll::Pending), Phase::Alive) => return Poll::Pending,
            (Ok(Poll::Ready(())), Phase::Alive) => {}
            (polled, _) => {
                // The task has failed or ended already. A local that panics in its destructor now
                // does not replace that failure.
                let _cleared = catch_panic(|| body.clear());
                if let Err(payload) = polled {
                    self.fail(TaskError::from_panic(payload, || self.stack()));
                }
            }
        }
        self.phase.set(Phase::Ended);
        self.id.set(None);
        Poll::Ready(())
    }
}

impl<B: ?Sized> fmt::Display for Computation<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin.call())
    }
}

/// Runs code of users that can fail only by a panic, and returns that.
fn catch_panic(f: impl FnOnce()) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(f))
}
