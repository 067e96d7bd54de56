//! The scheduler as a future among those of another executor.
//!
//! # Note: the foreign frame
//!
//! A poll from outside of any task must not block the thread. So one outermost frame drives all
//! requests from outside; its root is a promise that is never completed. The frame stays on the
//! engine's stack from one poll to the next, below the frames of plain calls made in between, and
//! is left when no request is outstanding. Each poll drives all requests, until the engine has to
//! wait or the others of the executor should have a turn.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use asynq_engine::{Deadlock, Dependency, Step, TaskId};

use super::call::throw;
use super::request::{Request, Requester};
use super::runtime;
use super::state::Scheduler;
use crate::call_stack::{Origin, Site};
use crate::recording::{self, SentFor};
use crate::task::computation::{AnyComputation, Body};

/// Number of flushes after which a drive leaves a turn to the others of its executor, such as timers: a task that awaits
/// one item after the other would keep all of them waiting.
const MAX_FLUSHES: usize = 16;

/// Body of the root of a frame without a call.
struct Never;

impl Body for Never {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("the engine does not run promises")
    }

    fn clear(self: Pin<&mut Self>) {}
}

/// The reason why a drive by another executor ends.
pub(super) enum Rest {
    /// Tasks can run. The executors have been woken.
    Runs,
    /// Everything waits for something outside, which wakes the executors.
    Waits,
    /// Nothing that the frame needs can go on, or all of it is resolved.
    Stuck(Box<Deadlock>),
}

impl Scheduler {
    /// Requests the value of a future that is polled outside of any task. Returns whether its
    /// executor has to wait.
    #[cold]
    pub(super) fn request_foreign(&self, future: &mut impl Request, waker: &Waker) -> bool {
        let requester = Requester { scheduler: self, waker: Some(waker) };
        let pending = future.request(&requester);
        let requests = self.foreign.take_polled();
        if !pending {
            return false;
        }
        if requests.is_empty() {
            // Calls in place, and what belongs to no thread. They have been polled.
            return true;
        }
        self.report_held();
        if self.is_driving() {
            // Inside a flush or a context: others cannot join, and the frame cannot stay.
            self.drive_inside(&requests, waker);
        } else if self.foreign.register(requests) {
            // Lets the executor poll what else is ready, which may request something before the
            // flush.
            waker.wake_by_ref();
            return true;
        } else if self.foreign.is_empty() {
            // A promise, which nobody drives.
            return true;
        } else {
            self.drive_foreign(waker);
        }
        if let Some(panic) = self.take_panic() {
            throw(panic);
        }
        let pending = future.request(&requester);
        self.foreign.take_polled();
        pending
    }

    fn drive_foreign(&self, waker: &Waker) {
        if self.foreign.root.get().is_none() {
            self.foreign.root.set(Some(self.enter_root()));
        }
        let fresh = self.foreign.take_fresh();
        // Each goes to the front.
        for on in fresh.into_iter().rev() {
            self.engine().need(on);
        }
        self.foreign.driving.set(true);
        let _drive = ForeignDrive(self);
        self.drive(waker, || self.foreign.outstanding());
    }

    /// Leaves the foreign frame if it is the innermost, and no request is outstanding.
    #[inline]
    pub(super) fn leave_idle_foreign_frame(&self) {
        if self.foreign.root.get().is_some() && !self.is_driving() {
            self.remove_computed_requests();
        }
    }

    fn remove_computed_requests(&self) {
        {
            let engine = self.engine();
            self.foreign.remove_computed(|on| engine.is_computed(on));
        }
        if self.foreign.is_empty() {
            self.leave_foreign_frame();
            self.wake_queue.take_executors();
        }
    }

    fn leave_foreign_frame(&self) {
        if let Some(root) = self.foreign.root.take() {
            self.exit_root(root);
        }
    }

    fn drive_inside(&self, requests: &[Dependency], waker: &Waker) {
        let _frame = InnerFrame(self, self.enter_root());
        for &on in requests.iter().rev() {
            self.engine().need(on);
        }
        self.drive(waker, || requests.to_vec());
    }

    pub(super) fn enter_root(&self) -> TaskId {
        static REQUESTS: Site = Site::made("requests of other executors");
        let origin = Origin { site: &REQUESTS, at: Location::caller(), creator: None };
        let root = self.engine().add_promise(AnyComputation::new(origin, Never));
        if recording::is_on() {
            recording::created(root, &REQUESTS, Location::caller());
        }
        self.engine().enter(root);
        if recording::is_on() {
            self.record_call(root);
        }
        root
    }

    pub(super) fn exit_root(&self, root: TaskId) {
        let mut engine = self.engine();
        engine.exit();
        let payload = engine.complete(root);
        drop(engine);
        if recording::is_on() {
            self.record_return();
            recording::ends(root, None);
        }
        drop(payload);
    }

    /// Drives the innermost frame until it waits for something outside, which will wake `waker`.
    pub(super) fn drive(&self, waker: &Waker, roots: impl Fn() -> Vec<Dependency>) -> Rest {
        let before = self.innermost_context();
        let apart = self.in_place.apart();
        self.creator.take();
        let rest = runtime::without_budget(|| self.drive_until_it_waits(waker, roots));
        drop(apart);
        self.switch_to(before);
        rest
    }

    fn drive_until_it_waits(&self, waker: &Waker, roots: impl Fn() -> Vec<Dependency>) -> Rest {
        self.wake_queue.add_executor(waker);
        self.foreign.reset_deliveries();
        let mut waited = false;
        let mut flushes = 0;
        loop {
            self.deliver_wakes();
            if self.flush_timer.has_fired() {
                self.flush_due();
            }
            if self.foreign.has_delivered_enough() {
                if self.foreign.is_busy_for_long() {
                    self.flush_all();
                }
                self.wake_queue.wake_all_executors();
                return Rest::Runs;
            }
            let step = self.engine().next();
            self.report_events();
            let waits = matches!(step, Step::Wait);
            match step {
                Step::Wait | Step::Deadlock(_) if self.lend_permits() => {}
                Step::Deadlock(_) if self.exceed_limits() => {}
                Step::Wait if !waited => self.wake_combinators(),
                Step::Deadlock(_) if self.undo_deadlocks(&roots()) => {}
                Step::Wait | Step::Deadlock(_) | Step::Done => {
                    self.foreign.end_busy();
                    if self.wake_queue.sleep() {
                        return match step {
                            Step::Deadlock(report) => Rest::Stuck(report),
                            _ => Rest::Waits,
                        };
                    }
                }
                Step::Flush(_) => {
                    self.foreign.end_busy();
                    self.perform(&step);
                    flushes += 1;
                    if flushes == MAX_FLUSHES {
                        self.wake_queue.wake_all_executors();
                        return Rest::Runs;
                    }
                }
                step => self.perform(&step),
            }
            waited = waits;
        }
    }

    /// Flushes the batches of the innermost frame, although tasks can run.
    fn flush_all(&self) {
        self.foreign.end_busy();
        let _reason = SentFor::delay();
        loop {
            let step = self.engine().next_flush();
            self.report_events();
            match step {
                Some(step) => self.perform(&step),
                None => return,
            }
        }
    }

    /// Fails the tasks that nothing outside can help. Returns whether there are any.
    fn undo_deadlocks(&self, roots: &[Dependency]) -> bool {
        let mut undone = false;
        for &root in roots {
            let report = self.engine().undo_deadlock(root);
            if let (Some(&(first, _)), false) = (report.waits.first(), report.victims.is_empty()) {
                drop(self.fail_deadlocked(first, &report, None));
                undone = true;
            }
        }
        undone
    }
}

/// Guard of a drive of the foreign frame. If that unwinds, the next drive begins anew.
struct ForeignDrive<'s>(&'s Scheduler);

impl Drop for ForeignDrive<'_> {
    fn drop(&mut self) {
        let (scheduler, foreign) = (self.0, &self.0.foreign);
        foreign.driving.set(false);
        if thread::panicking() {
            scheduler.engine().abandon();
            scheduler.switch_to_caller();
            scheduler.leave_foreign_frame();
            foreign.refresh();
            scheduler.wake_queue.wake_all_executors();
        }
        scheduler.leave_idle_foreign_frame();
    }
}

/// Guard of a frame inside a flush or a context.
struct InnerFrame<'s>(&'s Scheduler, TaskId);

impl Drop for InnerFrame<'_> {
    fn drop(&mut self) {
        let Self(scheduler, root) = *self;
        if thread::panicking() {
            scheduler.engine().abandon();
            scheduler.switch_to_caller();
        }
        scheduler.exit_root(root);
    }
}
