//! What other executors have asked for: the scheduler as a future among theirs.
//!
//! A poll from outside of any task must not block the thread. So all that is asked for from outside
//! is driven by one outermost frame, whose root is a promise that nobody completes. It stays on the
//! engine's stack from one poll to the next, below the frames of plain calls made in between, and
//! is left when nothing is outstanding. Whoever polls drives all, until the engine has to wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use asynq_engine::{Dependency, Step, TaskId};

use crate::call_stack::{Origin, Site};
use crate::futures::sealed::Request;
use crate::scheduler::Scheduler;
use crate::scheduler::poll::Asking;
use crate::task::computation::{AnyComputation, Body, Computation};

/// After so many deliveries of wake-ups one poll is over: tasks that wake themselves may wait for
/// what only the executor around them can bring about.
const DELIVERIES: usize = 64;

#[derive(Default)]
pub(crate) struct Hub {
    /// The root of its frame, while that is on the engine's stack.
    root: Cell<Option<TaskId>>,
    driving: Cell<bool>,
    /// How often wake-ups were delivered since the drive began.
    deliveries: Cell<usize>,
    /// What the future that is being polled has asked for.
    asked: RefCell<Vec<Dependency>>,
    /// What was asked for and may not be computed.
    outstanding: RefCell<BTreeSet<Dependency>>,
    /// How many of those there are to be before it is worth while to look at each.
    limit: Cell<usize>,
    /// Of that, what the frame was not told of, in order.
    fresh: RefCell<Vec<Dependency>>,
}

impl Hub {
    pub(crate) fn ask(&self, on: Dependency) {
        self.asked.borrow_mut().push(on);
    }

    pub(crate) fn count_delivery(&self) {
        self.deliveries.set(self.deliveries.get() + 1);
    }

    /// Keeps what was asked for. Returns whether any of it is new.
    fn register(&self, asked: Vec<Dependency>) -> bool {
        let (mut outstanding, mut fresh) = (self.outstanding.borrow_mut(), self.fresh.borrow_mut());
        let before = fresh.len();
        fresh.extend(asked.into_iter().filter(|&on| outstanding.insert(on)));
        fresh.len() > before
    }
}

/// The body of a root.
struct Never;

impl Body for Never {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("the engine does not run promises")
    }

    fn clear(self: Pin<&mut Self>) {}
}

impl Scheduler {
    /// Whether a call is under way, or a poll from outside: a task may be waiting for what happens
    /// here.
    pub(crate) fn is_within(&self) -> bool {
        self.hub.driving.get() || self.engine().depth() > usize::from(self.hub.root.get().is_some())
    }

    /// A future that is polled outside of any task asks for what it needs. Returns whether it has
    /// to wait.
    #[cold]
    pub(crate) fn request_outside(&self, future: &mut impl Request, waker: &Waker) -> bool {
        let asking = Asking { scheduler: self, waker: Some(waker) };
        let pending = future.request(&asking);
        let asked = self.hub.asked.take();
        if !pending {
            return false;
        }
        if self.is_within() {
            // By a flush or a context: others cannot join, and the frame cannot stay.
            self.drive_within(&asked, waker);
        } else if self.hub.register(asked) {
            // Once around the executor, so that what else is ready there asks before any flush.
            waker.wake_by_ref();
            return true;
        } else if self.hub.outstanding.borrow().is_empty() {
            // A promise, which nobody drives.
            return true;
        } else {
            self.drive_hub(waker);
        }
        let pending = future.request(&asking);
        self.hub.asked.take();
        pending
    }

    fn drive_hub(&self, waker: &Waker) {
        if self.hub.root.get().is_none() {
            self.hub.root.set(Some(self.enter_root()));
        }
        let fresh = self.hub.fresh.take();
        // Each goes to the front.
        for on in fresh.into_iter().rev() {
            self.engine().need(on);
        }
        self.hub.driving.set(true);
        let _drive = Drive(self);
        self.drive(waker, || self.hub.outstanding.borrow().iter().copied().collect());
    }

    /// Leaves the hub's frame if it is the innermost, and nothing is outstanding.
    #[inline]
    pub(crate) fn leave_idle_hub(&self) {
        if self.hub.root.get().is_some() && !self.is_within() {
            self.tidy_hub();
        }
    }

    fn tidy_hub(&self) {
        let mut outstanding = self.hub.outstanding.borrow_mut();
        let engine = self.engine();
        while outstanding.first().is_some_and(|&on| engine.is_computed(on)) {
            outstanding.pop_first();
        }
        if outstanding.len() > self.hub.limit.get() {
            outstanding.retain(|&on| !engine.is_computed(on));
            self.hub.limit.set(2 * outstanding.len());
        }
        if outstanding.is_empty() {
            drop(engine);
            self.hub.fresh.take();
            self.leave_hub();
            self.wakes.take_outside();
        }
    }

    fn leave_hub(&self) {
        if let Some(root) = self.hub.root.take() {
            self.exit_root(root);
        }
    }

    fn drive_within(&self, asked: &[Dependency], waker: &Waker) {
        self.tell_flushed();
        let _within = Within(self, self.enter_root());
        for &on in asked.iter().rev() {
            self.engine().need(on);
        }
        self.drive(waker, || asked.to_vec());
    }

    fn enter_root(&self) -> TaskId {
        static REQUESTS: Site = Site::made("requests of other executors");
        let origin = Origin { site: &REQUESTS, at: Location::caller(), creator: None };
        let root = self.engine().add_promise(Computation::new(origin, Never) as AnyComputation);
        self.engine().enter(root);
        root
    }

    fn exit_root(&self, root: TaskId) {
        let mut engine = self.engine();
        engine.exit();
        let payload = engine.complete(root);
        drop(engine);
        drop(payload);
    }

    /// Drives the innermost frame until only something outside can set it going, which will wake
    /// `waker`.
    fn drive(&self, waker: &Waker, roots: impl Fn() -> Vec<Dependency>) {
        self.wakes.listen(waker);
        self.hub.deliveries.set(0);
        let mut waited = false;
        loop {
            self.deliver_wakes();
            if self.hub.deliveries.get() > DELIVERIES {
                return self.wakes.wake_all_outside();
            }
            let step = self.engine().next();
            self.tell();
            let waits = matches!(step, Step::Wait);
            match step {
                Step::Wait if !waited => self.need_foreign(),
                Step::Deadlock(_) if self.undo_deadlocks(&roots()) => {}
                Step::Wait | Step::Deadlock(_) | Step::Done => {
                    if self.wakes.sleep() {
                        return;
                    }
                }
                step => self.perform(&step),
            }
            waited = waits;
        }
    }

    /// Makes those tasks fail that nothing outside can help. Returns whether there are any.
    fn undo_deadlocks(&self, roots: &[Dependency]) -> bool {
        let mut undone = false;
        for &root in roots {
            let report = self.engine().undo_deadlock(root);
            if let (Some(&(first, _)), false) = (report.waits.first(), report.victims.is_empty()) {
                drop(self.deadlock(first, &report, None));
                undone = true;
            }
        }
        undone
    }
}

/// A drive of the hub. If it unwinds, the next one begins anew.
struct Drive<'s>(&'s Scheduler);

impl Drop for Drive<'_> {
    fn drop(&mut self) {
        let (scheduler, hub) = (self.0, &self.0.hub);
        hub.driving.set(false);
        if thread::panicking() {
            scheduler.engine().abandon();
            scheduler.pause_all();
            scheduler.leave_hub();
            hub.fresh.replace(hub.outstanding.borrow().iter().copied().collect());
            scheduler.wakes.wake_all_outside();
        }
        scheduler.leave_idle_hub();
    }
}

/// A drive inside a flush or a context.
struct Within<'s>(&'s Scheduler, TaskId);

impl Drop for Within<'_> {
    fn drop(&mut self) {
        let Self(scheduler, root) = *self;
        if thread::panicking() {
            scheduler.engine().abandon();
            scheduler.pause_all();
        }
        scheduler.exit_root(root);
    }
}
