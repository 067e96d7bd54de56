//! What becomes a value later: the common part of tasks and promises.

use std::cell::{Cell, OnceCell, Ref};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;

use asynq_engine::TaskId;
use pin_cell::{PinCell, PinMut};
use pin_project_lite::pin_project;

use crate::call_stack::{AsynqStack, Call, Frame, Origin};
use crate::callbacks::Callbacks;
use crate::error::TaskError;
use crate::scheduler;

pin_project! {
    /// A computation, in one allocation with its body: what is polled, and later the value.
    ///
    /// The body stays borrowed while it is polled. Whatever ends the computation meanwhile only
    /// says so in `phase`, and leaves the body to the end of that poll.
    pub(crate) struct Computation<B: ?Sized> {
        // Its id in the engine, from when it is first asked for until its end.
        pub(crate) id: Cell<Option<TaskId>>,
        pub(crate) handles: Cell<u32>,
        phase: Cell<Phase>,
        // Why it has no value, or will have none.
        failure: Cell<Option<TaskError>>,
        pub(crate) listeners: Callbacks,
        origin: Origin,
        frame: OnceCell<Rc<Frame>>,
        #[pin]
        body: PinCell<B>,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Alive,
    /// It ends in its next step, where the body is dropped under the contexts that it has entered.
    Failing,
    Ended,
}

/// What the scheduler knows of a computation.
pub(crate) type AnyComputation = Pin<Rc<Computation<dyn Body>>>;

/// What is polled until it has its value.
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
        Rc::pin(Self {
            id: Cell::new(None),
            handles: Cell::new(1),
            phase: Cell::new(Phase::Alive),
            failure: Cell::new(None),
            listeners: Callbacks::default(),
            origin,
            frame: OnceCell::new(),
            body: PinCell::new(body),
        })
    }
}

impl<B: ?Sized> Computation<B> {
    /// Whether it has ended: the value is there, or never will be.
    pub(crate) fn is_computed(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    /// What holds the value. Nobody else borrows it between two polls.
    pub(crate) fn body(self: Pin<&Self>) -> PinMut<'_, B> {
        self.project_ref().body.borrow_mut()
    }

    /// Likewise, to look at. Others may look meanwhile.
    pub(crate) fn shared_body(&self) -> Ref<'_, B> {
        self.body.borrow()
    }

    /// Whether its own body is under way.
    pub(crate) fn is_polled(&self) -> bool {
        self.body.try_borrow().is_err()
    }

    pub(crate) fn failure(&self) -> Option<TaskError> {
        let failure = self.failure.take();
        self.failure.set(failure.clone());
        failure
    }

    /// Makes it fail in its next step, unless it has ended, or fails already.
    pub(crate) fn fail(&self, error: TaskError) {
        if self.phase.get() == Phase::Alive {
            self.failure.set(Some(error));
            self.phase.set(Phase::Failing);
        }
    }

    /// Ends it, otherwise than in a step of its own.
    pub(crate) fn end(&self, failure: Option<TaskError>) {
        self.phase.set(Phase::Ended);
        self.failure.set(failure);
        self.tell();
    }

    /// Tells everybody that it has ended.
    fn tell(&self) {
        if let Some(id) = self.id.take() {
            scheduler::try_with(|scheduler| {
                scheduler.finish(id);
                scheduler.tell();
            });
        }
        self.listeners.announce();
    }

    /// The frame that those created by this one name as their creator.
    pub(crate) fn frame(&self) -> Rc<Frame> {
        Rc::clone(self.frame.get_or_init(|| Frame::new(self.origin.clone())))
    }

    /// Which function it is a call of.
    pub(crate) fn call(&self) -> Call {
        self.origin.call()
    }

    /// Which task made it.
    pub(crate) fn creator(&self) -> Option<Call> {
        self.origin.creator.as_ref().map(|creator| creator.call())
    }

    pub(crate) fn stack(&self) -> AsynqStack {
        self.origin.stack()
    }
}

impl<B: Body + ?Sized> Computation<B> {
    /// Runs it until it waits or has ended.
    pub(crate) fn step(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_computed() {
            // By a call that is made while its locals are dropped.
            return Poll::Ready(());
        }
        let mut body = self.body();
        let polled = if self.phase.get() == Phase::Failing {
            Ok(Poll::Pending)
        } else {
            catch_unwind(AssertUnwindSafe(|| PinMut::as_mut(&mut body).poll(cx)))
        };
        match (polled, self.phase.get()) {
            (Ok(Poll::Pending), Phase::Alive) => return Poll::Pending,
            (Ok(Poll::Ready(())), Phase::Alive) => {}
            (polled, _) => {
                // Locals that panic when they are dropped make it fail as well.
                let cleared = quietly(|| PinMut::as_mut(&mut body).clear());
                if let Err(payload) = polled.map(drop).and(cleared) {
                    self.fail(TaskError::from_panic(payload, || self.stack()));
                }
            }
        }
        self.phase.set(Phase::Ended);
        self.id.set(None);
        Poll::Ready(())
    }

    /// Drops what the body has, unless it is being polled: then the end of that does it. Returns
    /// what it panicked with.
    fn clear(self: Pin<&Self>) -> thread::Result<()> {
        match self.project_ref().body.try_borrow_mut() {
            Ok(mut body) => quietly(|| PinMut::as_mut(&mut body).clear()),
            Err(_) => Ok(()),
        }
    }

    /// Ends it with `error`. Returns what its locals panicked with when they were dropped; they
    /// find it ended.
    pub(crate) fn cancel(self: Pin<&Self>, error: TaskError) -> thread::Result<()> {
        self.phase.set(Phase::Ended);
        self.failure.set(Some(error));
        let cleared = self.clear();
        self.tell();
        cleared
    }

    /// Drops the body of one that nobody can ask for its value any more.
    pub(crate) fn discard(self: Pin<&Self>) -> thread::Result<()> {
        self.phase.set(Phase::Ended);
        self.clear()
    }
}

impl<B: ?Sized> fmt::Display for Computation<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin.call())
    }
}

/// Runs code of a user's that cannot fail but by a panic, which it returns.
fn quietly(f: impl FnOnce()) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(f))
}

/// Goes on with a panic that was held up, unless there is one already: two would abort the process.
pub(crate) fn pass_on(result: thread::Result<()>) {
    if let Err(payload) = result
        && !thread::panicking()
    {
        resume_unwind(payload);
    }
}
