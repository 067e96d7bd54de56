//! The scheduler of a thread: drives the engine, and lends it to the futures that are polled.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Context;
use std::thread;

use asynq_engine::{
    BatchId, ContextId, Deadlock, Dependency, Engine, Host, PriorityRule, Step, TaskId, Until,
};

use super::deadlock;
use crate::batch::Flushable;
use crate::call_stack::{AsynqStack, Frame};
use crate::context::AsyncContext;
use crate::debug::Audience;
use crate::error::{TaskError, TaskErrorKind};
use crate::scheduler::foreign::Hub;
use crate::scheduler::poll::Polling;
use crate::scheduler::waker::{TaskWaker, WakeQueue};
use crate::task::computation::AnyComputation;

/// The payloads that this library gives to the engine.
pub(crate) struct Payloads;

impl Host for Payloads {
    type Task = AnyComputation;
    type Batch = Weak<dyn Flushable>;
    type Context = Weak<dyn AsyncContext>;
    type Priority = (i64, usize);
}

pub(crate) struct Scheduler {
    engine: RefCell<Engine<Payloads>>,
    pub(crate) audience: Audience,
    pub(crate) polling: Polling,
    /// The frame that the task which is being polled has made for the tasks it creates.
    creator: Cell<Option<Rc<Frame>>>,
    /// The batch whose flush holds the thread, unless a call inside it has been told of its items.
    flushing: Cell<Option<BatchId>>,
    pub(crate) wakes: Arc<WakeQueue>,
    /// The waker for a task that nothing foreign waits on behalf of, i.e. nearly every one.
    spare: Cell<Option<Box<TaskWaker>>>,
    /// The wakers of tasks that somebody outside keeps a clone of.
    kept: RefCell<HashMap<TaskId, Box<TaskWaker>>>,
    has_kept: Cell<bool>,
    /// What combinators with wakers of their own have asked for.
    pub(crate) foreign: RefCell<Vec<Dependency>>,
    /// What other executors have asked for.
    pub(crate) hub: Hub,
}

thread_local! {
    static SCHEDULER: Scheduler = Scheduler::new();
}

/// Gives access to the scheduler of this thread.
///
/// # Panics
///
/// While the thread ends.
pub(crate) fn with<R>(f: impl FnOnce(&Scheduler) -> R) -> R {
    SCHEDULER.with(f)
}

/// Likewise, for destructors. They also run while the thread ends: `None`, since nobody waits for
/// anything any more.
pub(crate) fn try_with<R>(f: impl FnOnce(&Scheduler) -> R) -> Option<R> {
    SCHEDULER.try_with(f).ok()
}

impl Scheduler {
    fn new() -> Self {
        Self {
            engine: RefCell::new(Engine::new()),
            audience: Audience::default(),
            polling: Polling::default(),
            creator: Cell::default(),
            flushing: Cell::default(),
            wakes: WakeQueue::new(),
            spare: Cell::default(),
            kept: RefCell::default(),
            has_kept: Cell::default(),
            foreign: RefCell::default(),
            hub: Hub::default(),
        }
    }

    /// The engine. No user code runs while it is borrowed.
    pub(crate) fn engine(&self) -> RefMut<'_, Engine<Payloads>> {
        self.engine.borrow_mut()
    }

    /// The task that runs now.
    pub(crate) fn running(&self) -> Option<AnyComputation> {
        let engine = self.engine.borrow();
        engine.running().and_then(|task| engine.task(task)).cloned()
    }

    /// What a task that is created now would name as its creator.
    pub(crate) fn creator(&self) -> Option<Rc<Frame>> {
        let creator = self.creator.take().or_else(|| self.running().map(|task| task.frame()));
        self.creator.set(creator.clone());
        creator
    }

    /// The task of the innermost synchronous call.
    pub(crate) fn current_call(&self) -> Option<TaskId> {
        self.engine.borrow().called().last()
    }

    /// The asynq stack of the task that runs now; in a flush, of the call whose round it is.
    pub(crate) fn stack(&self) -> Option<AsynqStack> {
        let called = || {
            let engine = self.engine.borrow();
            self.current_call().and_then(|task| engine.task(task)).cloned()
        };
        self.running().or_else(called).map(|task| task.stack())
    }

    /// Drives `root` to its end.
    ///
    /// # Errors
    ///
    /// If that cannot be done from here.
    pub(crate) fn call(&self, root: TaskId) -> Result<(), TaskError> {
        let caller = self.running();
        if caller.is_some() {
            // A branch of the caller may have been left inside a context of its own.
            self.switch();
        }
        self.tell_flushed();
        self.leave_idle_hub();
        self.engine().enter(root);
        self.creator.take();
        let _call = Call { scheduler: self, outer: self.polling.suspend() };
        let mut waited = false;
        loop {
            self.deliver_wakes();
            let mut engine = self.engine();
            let step = engine.next();
            let waits = matches!(step, Step::Wait);
            if let Step::Run(id) = step {
                let task = engine.task(id).cloned().expect("the engine runs only what it has");
                drop(engine);
                self.tell();
                self.run(id, &task);
                waited = false;
                continue;
            }
            drop(engine);
            self.tell();
            match step {
                // Whoever waits here may wait for something that was asked for elsewhere.
                Step::Wait if !waited => self.need_foreign(),
                Step::Wait => self.wakes.park(),
                Step::Deadlock(report) => {
                    let error = self.deadlock(root, &report, caller.as_ref());
                    if report.victims.is_empty() {
                        self.engine().abandon();
                        self.pause_all();
                        return Err(error);
                    }
                }
                Step::Done => return Ok(()),
                step => self.perform(&step),
            }
            waited = waits;
        }
    }

    /// A call begins. It may need what waits for an item that the flush around it has set already.
    pub(crate) fn tell_flushed(&self) {
        if let Some(flushed) = self.flushing.take() {
            self.batch(flushed).tell_at_once();
        }
    }

    /// Does what the engine says.
    #[inline]
    pub(crate) fn perform(&self, step: &Step) {
        match *step {
            Step::Run(id) => {
                let task = self.engine().task(id).cloned();
                self.run(id, &task.expect("the engine runs only what it has"));
            }
            Step::Pause(context) => self.switch_context(context, |c| c.pause()),
            Step::Resume(context) => self.switch_context(context, |c| c.resume()),
            Step::Priority(batch) => self.set_priority(batch),
            Step::Flush(batch) => self.flush(batch),
            Step::Wait | Step::Deadlock(_) | Step::Done => unreachable!("the end of a drive"),
        }
    }

    #[inline]
    pub(crate) fn deliver_wakes(&self) {
        if self.wakes.is_filled() {
            self.deliver_woken();
        }
    }

    #[cold]
    fn deliver_woken(&self) {
        self.hub.count_delivery();
        for task in self.wakes.drain() {
            self.engine().wake(task);
        }
    }

    /// Pauses what a call that was abandoned has active.
    pub(crate) fn pause_all(&self) {
        loop {
            let step = self.engine().next();
            let Step::Pause(context) = step else { break };
            self.switch_context(context, |c| c.pause());
        }
    }

    fn run(&self, id: TaskId, task: &AnyComputation) {
        let waker = self.take_kept(id).or_else(|| self.spare.take());
        let waker = waker.unwrap_or_else(|| Box::new(TaskWaker::new(&self.wakes)));
        waker.lend(id);
        self.polling.begin(waker.waker());
        let pending = task.as_ref().step(&mut Context::from_waker(waker.waker())).is_pending();
        self.polling.end();
        self.creator.take();
        let kept = waker.is_kept();
        if pending {
            // The task may have been woken before it begins to wait.
            self.deliver_wakes();
            let mut engine = self.engine();
            let polled = self.polling.awaits.get();
            let until = match polled {
                _ if kept => Until::AnyOrWake,
                0 | 1 => Until::All,
                _ => Until::Any,
            };
            if let Some((context, awaits)) = self.polling.inside.get()
                && awaits == polled
                && !kept
            {
                // The task waits inside this context and nowhere else, so it goes on there.
                engine.set_scope(Some(context));
            }
            engine.block(until);
        }
        match (pending, kept) {
            (_, false) => self.spare.set(Some(waker)),
            (true, true) => self.keep(id, waker),
            (false, true) => {}
        }
        if !pending {
            self.finish(id);
            task.listeners.announce();
        }
    }

    /// The waker of a task that somebody outside may keep a clone of.
    #[inline]
    fn take_kept(&self, id: TaskId) -> Option<Box<TaskWaker>> {
        // The common case, without a look.
        if self.has_kept.get() { self.find_kept(id) } else { None }
    }

    #[cold]
    fn find_kept(&self, id: TaskId) -> Option<Box<TaskWaker>> {
        let mut kept = self.kept.borrow_mut();
        let waker = kept.remove(&id);
        self.has_kept.set(!kept.is_empty());
        waker
    }

    #[cold]
    fn keep(&self, id: TaskId, waker: Box<TaskWaker>) {
        self.kept.borrow_mut().insert(id, waker);
        self.has_kept.set(true);
    }

    /// A task or promise has ended, with a value or not.
    pub(crate) fn finish(&self, id: TaskId) {
        self.take_kept(id);
        self.note_end(id);
        let payload = self.engine().complete(id);
        drop(payload);
        self.wakes.wake_outside();
    }

    /// Makes the tasks fail that the engine has chosen. Returns what the call fails with if there
    /// are none.
    pub(crate) fn deadlock(
        &self,
        root: TaskId,
        report: &Deadlock,
        caller: Option<&AnyComputation>,
    ) -> TaskError {
        let message = deadlock::describe(self, root, report);
        let error = |stack| TaskError::new(TaskErrorKind::Deadlock, message.clone(), stack);
        for &victim in &report.victims {
            let task = self.engine().task(victim).cloned();
            if let Some(task) = task {
                task.fail(error(task.stack()));
            }
        }
        error(caller.map(|caller| caller.stack()).unwrap_or_default())
    }
}

/// Ends a call, however it ends: the frame of one that unwinds must not stay behind.
struct Call<'s> {
    scheduler: &'s Scheduler,
    outer: Polling,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.scheduler.engine().abandon();
            self.scheduler.pause_all();
        }
        self.scheduler.polling.resume(&self.outer);
        self.scheduler.creator.take();
        self.scheduler.engine().exit();
        self.scheduler.tell();
    }
}

/// Batches.
impl Scheduler {
    pub(crate) fn open_batch(&self, batch: Weak<dyn Flushable>, base: i64) -> BatchId {
        let rule = if base == 0 { PriorityRule::BySize } else { PriorityRule::Ask };
        self.engine().add_batch(batch, rule)
    }

    fn batch(&self, id: BatchId) -> Rc<dyn Flushable> {
        let batch = self.engine().batch(id).and_then(Weak::upgrade);
        batch.expect("a batch is closed when it is dropped")
    }

    fn set_priority(&self, id: BatchId) {
        let batch = self.batch(id);
        let priority = (batch.base_priority(), batch.len());
        self.engine().set_priority(id, priority);
    }

    fn flush(&self, id: BatchId) {
        let batch = self.batch(id);
        if let Some(outer) = self.flushing.replace(Some(id)) {
            // A call inside this flush is inside that one as well.
            self.batch(outer).tell_at_once();
        }
        let carrier = Rc::clone(&batch).flush();
        self.flushing.set(None);
        match carrier {
            // The flush goes on as a task, and closes the batch when it has ended.
            Some(carrier) => {
                batch.tell_at_once();
                self.engine().defer(id, Some(carrier));
            }
            None => self.close(id),
        }
    }

    /// Flushes a batch out of turn, unless it is being flushed already.
    pub(crate) fn flush_now(&self, id: BatchId) {
        let open = self.engine().begin_flush(id);
        if open {
            self.tell();
            self.flush(id);
        }
    }

    /// All items have their values or errors.
    pub(crate) fn close(&self, id: BatchId) {
        let payload = self.engine().close(id);
        drop(payload);
        self.wakes.wake_outside();
    }
}

/// Contexts.
impl Scheduler {
    fn switch_context(&self, id: ContextId, switch: impl FnOnce(&dyn AsyncContext)) {
        // None: its task has dropped it, and left it by that.
        let Some(context) = self.engine().context(id).and_then(Weak::upgrade) else { return };
        let Err(payload) = catch_unwind(AssertUnwindSafe(move || switch(&*context))) else {
            return;
        };
        let owner = {
            let mut engine = self.engine();
            let owner = engine.fail_context(id);
            owner.and_then(|owner| engine.task(owner).cloned())
        };
        if let Some(owner) = owner {
            owner.fail(TaskError::from_panic(payload, || owner.stack()));
        }
    }

    /// A context is left by whoever has entered it. Returns whether it was active.
    pub(crate) fn leave(&self, context: ContextId) -> bool {
        self.tell_left(context);
        self.engine().leave_context(context)
    }

    /// Makes the contexts active that the task which runs now is in, and no others.
    pub(crate) fn switch(&self) {
        loop {
            let step = self.engine().switch();
            self.tell();
            match step {
                Some(Step::Pause(context)) => self.switch_context(context, |c| c.pause()),
                Some(Step::Resume(context)) => self.switch_context(context, |c| c.resume()),
                _ => break,
            }
        }
    }
}
