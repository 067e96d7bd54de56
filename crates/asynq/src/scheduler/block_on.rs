//! Executors inside of a task, such as `block_on`: see `Note: wakers inside of a poll` in `nested_wakers`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::thread;

use asynq_engine::{Dependency, TaskId};
use slotmap::Key;

use super::call::throw;
use super::foreign::Rest;
use super::polling::Polling;
use super::runtime::{self, Held};
use super::state::Scheduler;
use crate::error::{TaskError, TaskErrorKind};
use crate::nested_wakers::{Next, stack_depth};

impl Scheduler {
    /// Notes that the running task has polled a future, which is pending, with a waker that is not its own. Returns
    /// whether the future may have been resolved since, because an executor inside of the task waits for it.
    #[cold]
    #[inline(never)]
    pub(super) fn poll_nested(&self, waker: &Waker) -> bool {
        let on = self.nested_polled.take();
        let Some(own) = self.polling.own_waker() else { return false };
        let number = self.polling.number(|| {
            let number = self.nested_polls.get() + 1;
            self.nested_polls.set(number);
            number
        });
        let depth = stack_depth();
        let next = {
            let engine = self.engine();
            let has_ended = |on| engine.is_computed(on);
            let code = engine.running().unwrap_or_else(TaskId::null).data().as_ffi();
            self.nested_wakers.borrow_mut().poll((code, number), waker, &on, depth, has_ended)
        };
        match next {
            Next::Wait => false,
            Next::Moved => {
                self.wake_combinators();
                false
            }
            Next::Wake => {
                // A call on the stack of its caller may have the waker of no task.
                let task = self.engine().running().unwrap_or_else(TaskId::null);
                let was_woken = self.wake_queue.has([task, TaskId::null()]);
                let own = own.as_ptr().addr();
                // A waker that panics is nobody's fault here, and its panic was reported.
                let wake = || self.wake_queue.is_passed_on(waker, own);
                let is_passed_on = catch_unwind(AssertUnwindSafe(wake)).unwrap_or(false);
                self.nested_wakers.borrow_mut().woken(waker, depth, is_passed_on, was_woken);
                false
            }
            Next::Drive(on) => {
                self.drive_for_executor(&on, waker);
                true
            }
        }
    }

    /// Drives what an executor inside of the running task waits for, until some of it is resolved or the executor can
    /// sleep.
    fn drive_for_executor(&self, on: &[Dependency], waker: &Waker) {
        let caller = self.running();
        let name = || caller.as_ref().map(|caller| caller.as_ref().to_string()).unwrap_or_default();
        let _nested = self.nest(name).unwrap_or_else(|error| throw(error));
        // A branch of the caller may have been left inside a context of its own.
        self.switch_to_running();
        self.report_held();
        let root = self.enter_root();
        let failure = {
            let _frame = InnerFrame { scheduler: self, root, outer: self.polling.suspend() };
            for &on in on.iter().rev() {
                self.engine().need(on);
            }
            loop {
                let rest = self.drive(waker, || on.to_vec());
                if let Some(panic) = self.take_panic() {
                    break Some(panic);
                }
                if on.iter().any(|&on| self.engine().is_computed(on)) {
                    waker.wake_by_ref();
                    break None;
                }
                let goes_on = match rest {
                    Rest::Runs => Some(true),
                    Rest::Stuck(report) => {
                        if self.nested_wakers.borrow_mut().is_stuck(waker) {
                            break Some(self.stuck_executor(caller.as_ref(), on, &report));
                        }
                        None
                    }
                    Rest::Waits => match runtime::held() {
                        Held::Nothing => Some(true),
                        Held::Worker if self.sleep().is_ok() => continue,
                        Held::Worker => Some(false),
                        Held::Runtime if self.is_woken_by_threads() => Some(true),
                        Held::Runtime => self.nested_wakers.borrow_mut().runtime_goes_on(waker),
                    },
                };
                match goes_on {
                    Some(true) => {}
                    Some(false) => {
                        break Some(held_runtime(
                            &name(),
                            caller.map(|caller| caller.stack()).unwrap_or_default(),
                        ));
                    }
                    None => waker.wake_by_ref(),
                }
                break None;
            }
        };
        if let Some(failure) = failure {
            throw(failure);
        }
    }
}

/// Returns the error of an executor that holds the only thread of the runtime that has to go on.
#[cold]
fn held_runtime(name: &str, stack: crate::call_stack::AsynqStack) -> TaskError {
    let message = format!(
        "`block_on` inside {name} would wait for ever, because it holds the only thread of the tokio runtime that has to \
         go on. Await the future (`.await`) instead of blocking on it, or run the I/O on another runtime \
         (`asynq::stores::run_io`)"
    );
    TaskError::new(TaskErrorKind::Deadlock, message, stack)
}

/// Guard of the frame of an executor inside of a task.
struct InnerFrame<'s> {
    scheduler: &'s Scheduler,
    root: TaskId,
    outer: Option<Polling>,
}

impl Drop for InnerFrame<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.scheduler.engine().abandon();
            self.scheduler.switch_to_caller();
        }
        self.scheduler.polling.resume(self.outer.as_ref());
        self.scheduler.creator.take();
        self.scheduler.exit_root(self.root);
        self.scheduler.report_events();
    }
}
