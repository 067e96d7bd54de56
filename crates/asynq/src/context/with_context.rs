//! Entering contexts, for a future or for a call.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::thread;

use asynq_engine::ContextId;
use pin_project_lite::pin_project;
use send_wrapper::SendWrapper;

use super::async_context::AsyncContext;
use crate::request::current;
use crate::scheduler::{self, Scheduler};

/// Runs `future` in `context`.
///
/// The context is active while `future` runs and while the tasks run that it awaits; other tasks
/// never see it. Pass an `Rc` or `Arc` of the context to read it afterwards.
///
/// In a [`request`](crate::request()), the context is active while `future` is polled. The future of `with_context` is
/// `Send` if `context` and `future` are.
///
/// The other branches of an enclosing `futures::join!` are part of the same task. When they are
/// polled after `future` began to wait, the context is active until they call this crate; reading a
/// [`ScopedValue`](crate::ScopedValue) is such a call. The branches of [`all`](crate::all) are tasks
/// of their own, during which no context of another branch is active.
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
pub fn with_context<C, F>(context: C, future: F) -> WithContext<C, F::IntoFuture>
where
    C: AsyncContext + 'static,
    F: IntoFuture,
{
    let entered = Entered { state: Phase::Outside(context) };
    WithContext { entered, future: future.into_future() }
}

/// Calls a plain function in `context`.
///
/// The context is active while `f` runs, and during its synchronous calls while tasks run that these
/// start. It is paused while a call drives a task that others have started.
///
/// # Panics
///
/// If `f` panics, or the context when it is resumed or paused.
///
/// ```
/// use asynq::{ScopedValue, call_with_context};
///
/// let depth = ScopedValue::new(0);
/// assert_eq!(call_with_context(depth.override_with(1), || depth.get()), 1);
/// assert_eq!(depth.get(), 0);
/// ```
pub fn call_with_context<R>(context: impl AsyncContext + 'static, f: impl FnOnce() -> R) -> R {
    let (_, result) = call_in(context, f);
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Calls `f` in `context`. Returns the context, and the result or the first panic.
fn call_in<C, R>(context: C, f: impl FnOnce() -> R) -> (C, thread::Result<R>)
where
    C: AsyncContext + 'static,
{
    let called = Called::enter(context);
    let result = catch_unwind(AssertUnwindSafe(f));
    let (context, left) = called.leave();
    // The first of two panics tells more.
    (context, result.and_then(|value| left.map(|()| value)))
}

/// A context that is entered for the time of a call.
struct Called<C> {
    context: Rc<CodeContext<C>>,
    /// None while the thread ends.
    id: Option<ContextId>,
}

/// The context of a call, which may have been made by code of no task. Such code gets the panic of
/// a pause or resume when the call returns, since there is no task to fail.
struct CodeContext<C> {
    context: C,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

impl<C: AsyncContext> AsyncContext for CodeContext<C> {
    fn resume(&self) {
        self.switch(C::resume);
    }

    fn pause(&self) {
        self.switch(C::pause);
    }

    fn in_flushes(&self) -> bool {
        self.context.in_flushes()
    }

    fn name(&self) -> String {
        self.context.name()
    }
}

impl<C: AsyncContext> CodeContext<C> {
    fn switch(&self, switch: impl FnOnce(&C)) {
        if self.panic.borrow().is_none()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| switch(&self.context)))
        {
            self.panic.replace(Some(payload));
        }
    }
}

impl<C: AsyncContext + 'static> Called<C> {
    fn enter(context: C) -> Self {
        let context = Rc::new(CodeContext { context, panic: RefCell::default() });
        let payload: Weak<CodeContext<C>> = Rc::downgrade(&context);
        let id = scheduler::try_with(|scheduler| {
            scheduler.switch_to_branch();
            let id = scheduler.enter_code_context(payload);
            scheduler.report_entered(id);
            id
        });
        // Left again after a panic, since it was never active.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| context.context.resume())) {
            id.and_then(|id| scheduler::try_with(|scheduler| scheduler.leave(id)));
            resume_unwind(payload);
        }
        Self { context, id }
    }

    /// Returns the context, and the panic of a pause or resume, if there was one.
    fn leave(self) -> (C, thread::Result<()>) {
        let leave = |id| scheduler::try_with(|scheduler| scheduler.leave(id));
        let was_active = self.id.and_then(leave).unwrap_or(true);
        let left = match self.context.panic.take() {
            Some(payload) => Err(payload),
            None if was_active => catch_unwind(AssertUnwindSafe(|| self.context.context.pause())),
            None => Ok(()),
        };
        let context = Rc::into_inner(self.context).map(|context| context.context);
        (context.unwrap_or_else(|| unreachable!("the scheduler has weak references")), left)
    }
}

pin_project! {
    /// The future of [`with_context`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct WithContext<C: AsyncContext, F> {
        // Dropped before the context is left, as locals are.
        #[pin]
        future: F,
        entered: Entered<C>,
    }
}

struct Entered<C: AsyncContext> {
    state: Phase<C>,
}

const POLLED_AGAIN: &str =
    "the future of `with_context` was polled after it had returned its value";

enum Phase<C> {
    /// Not entered yet, or between two polls outside of tasks, which may be on different threads.
    Outside(C),
    /// Entered by a task, which belongs to its thread; with the context around it, which the task was in.
    In {
        context: SendWrapper<Rc<C>>,
        id: ContextId,
        outer: Option<ContextId>,
    },
    After,
}

impl<C: AsyncContext> Entered<C> {
    /// Takes the context, which no task has entered. Panics if it was left.
    fn take(&mut self) -> C {
        match mem::replace(&mut self.state, Phase::After) {
            Phase::Outside(context) => context,
            Phase::In { .. } => unreachable!("a task has entered the context"),
            Phase::After => panic!("{POLLED_AGAIN}"),
        }
    }

    fn leave(&mut self) {
        match mem::replace(&mut self.state, Phase::After) {
            Phase::In { context, id, .. } => {
                let active = scheduler::try_with(|scheduler| scheduler.leave(id));
                if active == Some(true) {
                    context.pause();
                }
            }
            outside @ Phase::Outside(_) => self.state = outside,
            Phase::After => {}
        }
    }
}

impl<C: AsyncContext + 'static> Entered<C> {
    /// Makes this the context of the running task, unless the task is in it, or inside it, already.
    /// Returns the context and the one around it, or `None` if no task runs.
    fn enter(&mut self) -> Option<(ContextId, Option<ContextId>)> {
        if let Phase::In { id, outer, .. } = self.state {
            scheduler::with(|scheduler| {
                let inside = scheduler.engine().is_inside(id);
                if !inside {
                    scheduler.engine().set_scope(Some(id));
                    scheduler.switch_to_running();
                }
            });
            return Some((id, outer));
        }
        let context = Rc::new(self.take());
        let payload: Weak<dyn AsyncContext> = Rc::<C>::downgrade(&context);
        let (outer, id) = scheduler::with(|scheduler| {
            scheduler.enter_call();
            // Another branch of the task may have been left inside a context of its own.
            scheduler.switch_to_running();
            let outer = scheduler.engine().scope();
            (outer, scheduler.enter_context(payload))
        });
        let id = id?;
        scheduler::with(|scheduler| scheduler.report_entered(id));
        // Left again after a panic, since it was never active.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| context.resume())) {
            scheduler::with(|scheduler| scheduler.leave(id));
            resume_unwind(payload);
        }
        self.state = Phase::In { context: SendWrapper::new(context), id, outer };
        Some((id, outer))
    }

    /// Polls `future` in this context outside of tasks. The context is entered for the time of the poll.
    fn poll_outside<F: Future>(
        &mut self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let (context, polled) = call_in(self.take(), || future.poll(cx));
        let polled = polled.unwrap_or_else(|payload| resume_unwind(payload));
        if polled.is_pending() {
            self.state = Phase::Outside(context);
        }
        polled
    }
}

impl<C: AsyncContext> Drop for Entered<C> {
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

impl<C: AsyncContext + 'static, F: Future> Future for WithContext<C, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !scheduler::with(Scheduler::is_polling) {
            assert!(
                current::is_active() || scheduler::with(Scheduler::is_in_place),
                "the future of `with_context` was polled outside of a task; await it in a task or in a \
                 `request`, or use `call_with_context`"
            );
            return this.entered.poll_outside(this.future, cx);
        }
        let awaits = scheduler::with(Scheduler::awaits);
        // None: code of the task has cancelled it, and this is its last poll.
        let Some((id, outer)) = this.entered.enter() else { return Poll::Pending };
        let polled = this.future.poll(cx);
        if polled.is_ready() {
            this.entered.leave();
        } else {
            scheduler::with(|scheduler| {
                scheduler.engine().set_scope(outer);
                scheduler.leave_pending(id, awaits);
            });
        }
        polled
    }
}

impl<C: AsyncContext, F> fmt::Debug for WithContext<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithContext").finish_non_exhaustive()
    }
}
