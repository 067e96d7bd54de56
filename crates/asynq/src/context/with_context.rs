//! Entering contexts, for a future or for a call.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::thread;

use asynq_engine::ContextId;
use pin_project_lite::pin_project;

use super::async_context::AsyncContext;
use crate::request::current;
use crate::scheduler::{self, Scheduler};

/// Runs `future` in `context`.
///
/// The context is active while `future` runs and while the tasks run that it awaits; other tasks
/// never see it. Pass an `Rc` of the context to read it afterwards.
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
pub fn with_context<F: IntoFuture>(
    context: impl AsyncContext + 'static,
    future: F,
) -> WithContext<F::IntoFuture> {
    let entered = Entered { context: Rc::new(context), code_context: None, state: Phase::Before };
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
    let called = Called::enter(context);
    let result = catch_unwind(AssertUnwindSafe(f));
    let left = catch_unwind(AssertUnwindSafe(|| called.leave()));
    // The first of two panics tells more.
    match (result, left) {
        (Ok(value), Ok(())) => value,
        (Err(payload), _) | (_, Err(payload)) => resume_unwind(payload),
    }
}

/// A context that is entered for the time of a call.
struct Called {
    context: Rc<CodeContext>,
    /// None while the thread ends.
    id: Option<ContextId>,
}

/// The context of a call, which may have been made by code of no task. Such code gets the panic of
/// a pause or resume when the call returns, since there is no task to fail.
struct CodeContext {
    context: Box<dyn AsyncContext>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

impl AsyncContext for CodeContext {
    fn resume(&self) {
        self.switch(|context| context.resume());
    }

    fn pause(&self) {
        self.switch(|context| context.pause());
    }

    fn in_flushes(&self) -> bool {
        self.context.in_flushes()
    }

    fn name(&self) -> String {
        self.context.name()
    }
}

impl CodeContext {
    fn switch(&self, switch: impl FnOnce(&dyn AsyncContext)) {
        if self.panic.borrow().is_none()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| switch(&*self.context)))
        {
            self.panic.replace(Some(payload));
        }
    }
}

impl Called {
    fn enter(context: impl AsyncContext + 'static) -> Self {
        let context =
            Rc::new(CodeContext { context: Box::new(context), panic: RefCell::default() });
        let payload: Weak<CodeContext> = Rc::downgrade(&context);
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

    fn leave(self) {
        let leave = |id| scheduler::try_with(|scheduler| scheduler.leave(id));
        let was_active = self.id.and_then(leave).unwrap_or(true);
        if let Some(payload) = self.context.panic.take() {
            resume_unwind(payload);
        }
        if was_active {
            self.context.context.pause();
        }
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
    /// The same, if it was entered outside of tasks.
    code_context: Option<Rc<CodeContext>>,
    state: Phase,
}

const POLLED_AGAIN: &str =
    "the future of `with_context` was polled after it had returned its value";

#[derive(Clone, Copy)]
enum Phase {
    Before,
    /// Entered; with the context around it, which the task was in.
    In(ContextId, Option<ContextId>),
    After,
}

impl Entered {
    /// Makes this the context of the running task, unless the task is in it, or inside it, already.
    /// Returns the context and the one around it, or `None` if no task runs.
    fn enter(&mut self) -> Option<(ContextId, Option<ContextId>)> {
        match self.state {
            Phase::Before => {
                let payload = Rc::downgrade(&self.context);
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
                        scheduler.switch_to_running();
                    }
                });
                Some((id, outer))
            }
            Phase::After => panic!("{POLLED_AGAIN}"),
        }
    }

    /// Polls `future` in this context, in a call outside of tasks.
    fn poll_outside<F: Future>(
        &mut self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let outer = self.enter_outside();
        let polled = future.poll(cx);
        if polled.is_ready() {
            self.leave();
        } else {
            scheduler::with(|scheduler| scheduler.switch_to(outer));
        }
        let panic = self.code_context.as_ref().and_then(|context| context.panic.take());
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
        polled
    }

    /// Makes this the innermost context of code of no task. Returns the one that was.
    fn enter_outside(&mut self) -> Option<ContextId> {
        let outer = scheduler::with(Scheduler::innermost_context);
        match self.state {
            Phase::Before => {
                let context: Box<dyn AsyncContext> = Box::new(Rc::clone(&self.context));
                let context = Rc::new(CodeContext { context, panic: RefCell::default() });
                let payload: Weak<CodeContext> = Rc::downgrade(&context);
                let id = scheduler::with(|scheduler| scheduler.enter_code_context(payload));
                scheduler::with(|scheduler| scheduler.report_entered(id));
                self.code_context = Some(context);
                self.state = Phase::In(id, outer);
                self.context.resume();
            }
            Phase::In(id, _) => scheduler::with(|scheduler| scheduler.switch_to(Some(id))),
            Phase::After => panic!("{POLLED_AGAIN}"),
        }
        outer
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

impl<F> fmt::Debug for WithContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithContext").finish_non_exhaustive()
    }
}
