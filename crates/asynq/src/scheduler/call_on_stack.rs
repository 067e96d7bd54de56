//! Synchronous calls whose bodies are on the stack of their callers.
//!
//! # Note: calls that are not entered
//!
//! A call that waits for nothing needs neither a task nor a frame, since nothing else could run before it has
//! returned. So its body is polled at once, and the engine hears of the call only when somebody could notice: the
//! body waits, enters a context, or makes a call itself. Then [`Scheduler::enter_call`] makes it the root of a frame
//! like any other.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use asynq_engine::{Step, TaskId};
use slotmap::Key;

use super::call::FrameGuard;
use super::runtime;
use super::stack_call::Entered;
use super::state::Scheduler;
use crate::call_stack::{Origin, Site};
use crate::error::TaskError;
use crate::recording;
use crate::task::computation::{AnyComputation, Body};

/// Body of a task whose future is on the stack of a call, which polls it.
struct OnStack;

impl Body for OnStack {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("the call polls it")
    }

    fn clear(self: Pin<&mut Self>) {}
}

/// Guard of the task of a call, which must not stay behind when the call ends.
struct Root<'s>(&'s Scheduler, TaskId);

impl Drop for Root<'_> {
    fn drop(&mut self) {
        self.0.finish(self.1);
    }
}

impl Scheduler {
    /// Runs `body` to its end, as a call of `site`.
    ///
    /// # Errors
    ///
    /// If the body panics; or as [`call`](Self::call).
    pub(crate) fn call_on_stack(
        &self,
        site: &'static Site,
        at: &'static Location<'static>,
        mut body: Pin<&mut dyn Body>,
    ) -> Result<(), TaskError> {
        self.enter_call();
        let _nested = self.nest(|| Origin { site, at, creator: None }.call().to_string())?;
        // A branch of the caller may have been left inside a context of its own.
        self.switch_to_branch();
        self.leave_idle_foreign_frame();
        let outer = self.polling.suspend();
        let mark = self.in_place.mark();
        let waker = self.wakers.take(TaskId::null(), &self.wake_queue);
        let index = self.begin_in_place(site, at);
        self.stack_call.begin(index);
        self.polling.begin(waker.waker());
        if self.event_listeners.is_present() || recording::is_on() {
            self.enter_call();
        }
        let cx = &mut Context::from_waker(waker.waker());
        let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx)));
        if self.stack_call.is_unentered() {
            if !matches!(polled, Ok(Poll::Pending)) {
                self.stack_call.take_unentered();
                let result = polled.map_err(|payload| self.failure(payload));
                self.polling.resume(outer.as_ref());
                self.end_in_place(false);
                if !waker.is_kept() {
                    self.wakers.give_back(waker);
                }
                return result.map(|_| ());
            }
            self.enter_call();
        }

        let Entered { id, root, caller } = self.stack_call.take_entered();
        let _root = Root(self, id);
        let result = {
            let _frame = FrameGuard { scheduler: self, outer };
            waker.lend(id);
            let is_pending = root.end_step(body.as_mut(), polled).is_pending();
            if is_pending && (waker.is_kept() || self.wake_queue.is_filled()) {
                // It may have been woken before the waker was lent to it.
                self.engine().wake(id);
            }
            self.end_run(id, &root, root.stepped(is_pending), waker, &mark);
            let body = body.as_mut();
            runtime::without_budget(|| self.drive_call(id, caller.as_ref(), Some(body)))
        };
        if let Err(error) = result {
            root.set_ended(None);
            body.clear();
            return Err(error);
        }
        root.failure().map_or(Ok(()), Err)
    }

    /// Polls the task of a call once, whose body is on the stack.
    #[inline(never)]
    pub(super) fn run_on_stack(&self, id: TaskId, task: &AnyComputation, body: Pin<&mut dyn Body>) {
        self.run_by(id, task, |cx| {
            let is_pending = task.step_body(body, cx).is_pending();
            task.stepped(is_pending)
        });
    }

    /// Makes the call whose body is being polled the root of a frame, if the engine does not know it.
    #[inline]
    pub(crate) fn enter_call(&self) {
        if self.stack_call.is_unentered() {
            self.enter_unentered();
        }
    }

    #[cold]
    fn enter_unentered(&self) {
        let caller = self.running();
        let origin = self.take_out_of_place(self.stack_call.take_unentered());
        let root = AnyComputation::new(origin, OnStack);
        self.report_held();
        let id = self.engine().add_task(root.clone());
        root.id.set(Some(id));
        self.report_events();
        if recording::is_on() {
            root.record_creation(id);
        }
        self.engine().enter(id);
        if recording::is_on() {
            self.record_call(id);
        }
        loop {
            let step = self.engine().next();
            self.report_events();
            match step {
                Step::Run(_) => break,
                step => self.perform(&step),
            }
        }
        if recording::is_on() {
            recording::runs(id);
        }
        self.stack_call.enter(Entered { id, root, caller });
    }
}
