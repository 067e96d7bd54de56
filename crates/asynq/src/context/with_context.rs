//! Contexts that follow the task that entered them.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::thread;

use asynq_engine::ContextId;
use pin_project_lite::pin_project;

use crate::batch::short_name;
use crate::scheduler::{self, Scheduler};

/// Something that is active while a task runs, or what that task awaits, and not while others do: a
/// timer, a scoped setting, a "suppress warnings".
///
/// Entering it resumes it and leaving it pauses it; in between it is paused and resumed as the
/// scheduler turns to other tasks and back. Every pause is paired with one resume. No context is
/// active during a flush, except those under which a synchronous call was made that flushes.
///
/// A panic in either fails the task that entered the context, and no other.
pub trait AsyncContext {
    /// The task goes on.
    fn resume(&self);
    /// Something else runs.
    fn pause(&self);

    /// What [`debug`](crate::debug) calls it: by default the name of the type.
    fn name(&self) -> String {
        short_name(std::any::type_name::<Self>())
    }
}

impl<C: AsyncContext + ?Sized> AsyncContext for Rc<C> {
    fn resume(&self) {
        (**self).resume();
    }

    fn pause(&self) {
        (**self).pause();
    }

    fn name(&self) -> String {
        (**self).name()
    }
}

/// Runs `future` in `context`.
///
/// The context is active while `future` runs and while what it awaits runs: other tasks see nothing
/// of it. To look at the context afterwards, pass an `Rc` of it.
///
/// The rest of an enclosing `futures::join!` is still part of this task: its branches see the
/// context until they ask something of this crate, when they are polled after `future` began to
/// wait. The branches of [`all`](crate::all) are tasks, and see nothing of each other's contexts.
///
/// ```
/// use asynq::{AsyncContext, AsyncTask, FutureBase, ScopedValue, with_context};
///
/// let level = ScopedValue::new("info");
/// let quiet = level.override_with("error");
/// let task = AsyncTask::new(with_context(quiet, {
///     let level = level.clone();
///     async move { level.get() }
/// }));
/// assert_eq!(task.value(), "error");
/// assert_eq!(level.get(), "info");
/// ```
pub fn with_context<F: IntoFuture>(
    context: impl AsyncContext + 'static,
    future: F,
) -> WithContext<F::IntoFuture> {
    let entered = Entered { context: Rc::new(context), state: Phase::Before };
    WithContext { entered, future: future.into_future() }
}

/// Calls a plain function in `context`.
///
/// # Panics
///
/// If `f` does, or the context when it is resumed or paused.
///
/// ```
/// use asynq::{ScopedValue, call_with_context};
///
/// let depth = ScopedValue::new(0);
/// assert_eq!(call_with_context(depth.override_with(1), || depth.get()), 1);
/// assert_eq!(depth.get(), 0);
/// ```
#[allow(clippy::needless_pass_by_value, reason = "as `with_context` takes it")]
pub fn call_with_context<R>(context: impl AsyncContext, f: impl FnOnce() -> R) -> R {
    // The scheduler need not know: nothing that `f` calls returns to it before `f` does, and what
    // was active when a synchronous call was made stays so.
    context.resume();
    let result = catch_unwind(AssertUnwindSafe(f));
    let paused = catch_unwind(AssertUnwindSafe(|| context.pause()));
    // The first of two panics is the one to know of.
    match (result, paused) {
        (Ok(value), Ok(())) => value,
        (Err(payload), _) | (_, Err(payload)) => resume_unwind(payload),
    }
}

pin_project! {
    /// The future of [`with_context`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct WithContext<F> {
        // Dropped before the context is left, as locals are.
        #[pin]
        future: F,
        entered: Entered,
    }
}

struct Entered {
    context: Rc<dyn AsyncContext>,
    state: Phase,
}

#[derive(Clone, Copy)]
enum Phase {
    Before,
    /// With the context around it, where the task was when it entered.
    In(ContextId, Option<ContextId>),
    After,
}

impl Entered {
    /// Makes the context that of the running task, unless it is, or one inside it. Returns it, and
    /// the one around it; `None` if no task runs.
    fn enter(&mut self) -> Option<(ContextId, Option<ContextId>)> {
        match self.state {
            Phase::Before => {
                let payload = Rc::downgrade(&self.context);
                let (outer, id) = scheduler::with(|scheduler| {
                    // Another branch of the task may have been left inside a context of its own.
                    scheduler.switch();
                    let mut engine = scheduler.engine();
                    (engine.scope(), engine.enter_context(payload))
                });
                let id = id?;
                scheduler::with(|scheduler| scheduler.tell_entered(id));
                // Left again if that panics, since it was never active.
                let resumed = catch_unwind(AssertUnwindSafe(|| self.context.resume()));
                if let Err(payload) = resumed {
                    scheduler::with(|scheduler| scheduler.leave(id));
                    resume_unwind(payload);
                }
                self.state = Phase::In(id, outer);
                Some((id, outer))
            }
            Phase::In(id, outer) => {
                scheduler::with(|scheduler| {
                    let inside = scheduler.engine().is_inside(id);
                    if !inside {
                        scheduler.engine().set_scope(Some(id));
                        scheduler.switch();
                    }
                });
                Some((id, outer))
            }
            Phase::After => panic!("`with_context` was polled after its end"),
        }
    }

    fn leave(&mut self) {
        let Phase::In(id, _) = self.state else { return };
        self.state = Phase::After;
        let active = scheduler::try_with(|scheduler| scheduler.leave(id));
        if active == Some(true) {
            self.context.pause();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = catch_unwind(AssertUnwindSafe(|| self.leave()));
        // A second panic would abort the process; the first one fails the task already.
        if let Err(payload) = left
            && !thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}

impl<F: Future> Future for WithContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        assert!(
            scheduler::with(Scheduler::is_polling),
            "`with_context` was polled outside of any task: use `call_with_context`, or await it \
             in a task"
        );
        let awaits = scheduler::with(Scheduler::awaits);
        // None: the task was cancelled by what it ran, and this poll is its last.
        let Some((id, outer)) = this.entered.enter() else { return Poll::Pending };
        let polled = this.future.poll(cx);
        if polled.is_ready() {
            this.entered.leave();
        } else {
            scheduler::with(|scheduler| {
                scheduler.engine().set_scope(outer);
                scheduler.left_pending(id, awaits);
            });
        }
        polled
    }
}

impl<F> fmt::Debug for WithContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithContext").finish_non_exhaustive()
    }
}

/// While this guard lives, its task must not wait: if it does, and anything else has to run
/// meanwhile, the task panics.
///
/// For what must not stay open across an `await`: a lock, a transaction, a borrowed buffer.
///
/// ```
/// use asynq::{AsyncTask, NonAsyncContext};
///
/// let task = AsyncTask::new(async {
///     let _lock = NonAsyncContext::enter("the row lock");
///     asynq::debug::sync().await;
/// });
/// assert!(task.outcome().unwrap_err().message().contains("the row lock"));
/// ```
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct NonAsyncContext {
    id: Option<ContextId>,
    /// The scheduler has only a weak reference.
    _context: Rc<Forbidden>,
}

#[derive(Debug)]
struct Forbidden(&'static str);

impl AsyncContext for Forbidden {
    fn resume(&self) {}

    fn pause(&self) {
        panic!("a task cannot await while it holds {}: let go of it first", self.0);
    }

    fn name(&self) -> String {
        self.0.to_owned()
    }
}

impl NonAsyncContext {
    /// Forbids the running task to wait; `what` is what it holds. Outside of tasks this does
    /// nothing.
    pub fn enter(what: &'static str) -> Self {
        let context = Rc::new(Forbidden(what));
        let payload = Rc::downgrade(&context) as Weak<dyn AsyncContext>;
        let id = scheduler::with(|scheduler| {
            if scheduler.engine().running().is_some() {
                scheduler.switch();
            }
            let id = scheduler.engine().enter_context(payload);
            id.inspect(|&id| scheduler.tell_entered(id))
        });
        Self { id, _context: context }
    }
}

impl Drop for NonAsyncContext {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            scheduler::try_with(|scheduler| scheduler.leave(id));
        }
    }
}
