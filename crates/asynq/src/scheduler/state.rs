//! The state of a scheduler, one for each thread.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use asynq_engine::{BatchId, Dependency, Engine, TaskId};

use super::calls_in_place::CallsInPlace;
use super::flush_timer::FlushTimer;
use super::foreign_requests::ForeignRequests;
use super::native_stack::NativeStack;
use super::payload::Payloads;
use super::permit_table::PermitTable;
use super::polling::Polling;
use super::stack_call::StackCall;
use super::thread_waits::ThreadWaits;
use super::waker::{WakeQueue, Wakers};
use crate::call_stack::Creator;
use crate::debug::EventListeners;
use crate::error::TaskError;
use crate::nested_wakers::NestedWakers;
use crate::recording;
use crate::task::computation::AnyComputation;

pub(crate) struct Scheduler {
    engine: RefCell<Engine<Payloads>>,
    pub(crate) event_listeners: EventListeners,
    pub(super) polling: Polling,
    pub(super) in_place: CallsInPlace,
    pub(super) stack_call: StackCall,
    /// Cache of [`creator`](Self::creator), for one poll.
    pub(super) creator: Cell<Option<Rc<Creator>>>,
    /// Batch whose flush holds the thread and whose items are held back: see `Note: held items`.
    pub(super) held: Cell<Option<BatchId>>,
    pub(super) wake_queue: Arc<WakeQueue>,
    pub(super) wakers: Wakers,
    /// Requests of combinators that poll with wakers of their own, with those wakers.
    pub(super) combinators: RefCell<Vec<(Dependency, Waker)>>,
    /// Wakers that may be those of executors inside of tasks; the requests of the poll with such a waker that is in
    /// progress; and the number of polls in which there were any.
    pub(super) nested_wakers: RefCell<NestedWakers<Dependency>>,
    pub(super) nested_polled: RefCell<Vec<Dependency>>,
    pub(super) nested_polls: Cell<u64>,
    pub(super) foreign: ForeignRequests,
    pub(super) flush_timer: FlushTimer,
    pub(super) thread_waits: ThreadWaits,
    pub(super) native_stack: NativeStack,
    pub(super) permits: RefCell<PermitTable>,
    /// Panic of a flush whose items all had their values, for the call that drives it.
    panic: Cell<Option<TaskError>>,
}

thread_local! {
    static SCHEDULER: Scheduler = Scheduler::new();
}

/// Calls `f` with the scheduler of this thread.
///
/// # Panics
///
/// While the thread ends.
pub(crate) fn with<R>(f: impl FnOnce(&Scheduler) -> R) -> R {
    SCHEDULER.with(f)
}

/// Calls `f` with the scheduler of this thread, or returns `None` while the thread ends: for
/// destructors, which also run then.
pub(crate) fn try_with<R>(f: impl FnOnce(&Scheduler) -> R) -> Option<R> {
    SCHEDULER.try_with(f).ok()
}

impl Scheduler {
    fn new() -> Self {
        // Begins the recording of the program, if it is wanted.
        recording::is_on();
        Self {
            engine: RefCell::new(Engine::new()),
            event_listeners: EventListeners::default(),
            polling: Polling::default(),
            in_place: CallsInPlace::default(),
            stack_call: StackCall::default(),
            creator: Cell::default(),
            held: Cell::default(),
            wake_queue: WakeQueue::new(),
            wakers: Wakers::default(),
            combinators: RefCell::default(),
            nested_wakers: RefCell::default(),
            nested_polled: RefCell::default(),
            nested_polls: Cell::default(),
            foreign: ForeignRequests::default(),
            flush_timer: FlushTimer::default(),
            thread_waits: ThreadWaits::default(),
            native_stack: NativeStack::default(),
            permits: RefCell::default(),
            panic: Cell::default(),
        }
    }

    /// Borrows the engine. No code of users runs while it is borrowed.
    #[inline]
    pub(crate) fn engine(&self) -> RefMut<'_, Engine<Payloads>> {
        self.engine.borrow_mut()
    }

    /// Returns the task that runs now.
    pub(crate) fn running(&self) -> Option<AnyComputation> {
        let engine = self.engine.borrow();
        engine.running().and_then(|task| engine.task(task)).cloned()
    }

    /// Returns the task of the innermost synchronous call.
    pub(crate) fn current_call(&self) -> Option<TaskId> {
        self.engine.borrow().called().last()
    }

    /// Returns whether the innermost call holds its thread until it returns.
    pub(crate) fn blocks_thread(&self) -> bool {
        self.current_call().is_some_and(|call| self.foreign.root.get() != Some(call))
    }

    /// Returns whether a call or a poll by another executor is in progress, so that a task may be
    /// waiting for what happens now.
    pub(crate) fn is_driving(&self) -> bool {
        let idle_frames = usize::from(self.foreign.root.get().is_some());
        self.foreign.driving.get() || self.is_polling() || self.engine().depth() > idle_frames
    }

    /// Keeps a panic for the call, or the poll by another executor, that is in progress.
    pub(crate) fn keep_panic(&self, panic: TaskError) {
        let first = self.panic.take();
        self.panic.set(first.or(Some(panic)));
    }

    pub(super) fn take_panic(&self) -> Option<TaskError> {
        self.panic.take()
    }

    /// Returns whether a task of this crate is being polled.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.is_active()
    }
}
