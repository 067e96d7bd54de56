//! The scheduler of a thread: drives the engine, and lends it to the futures that are polled.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;

use asynq_engine::{
    BatchId, ContextId, Deadlock, Dependency, Engine, Host, Ranking, Step, TaskId, Until,
};

use crate::batch::Flushable;
use crate::computation::AnyComputation;
use crate::context::AsyncContext;
use crate::deadlock;
use crate::debug::Audience;
use crate::error::{TaskError, TaskErrorKind};
use crate::futures::sealed::Request;
use crate::hub::Hub;
use crate::stack::{AsynqStack, Frame};
use crate::waker::{TaskWaker, WakeQueue};

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
    polling: Polling,
    /// The frame that the task which is being polled has made for the tasks it creates.
    creator: RefCell<Option<Rc<Frame>>>,
    /// The batch whose flush holds the thread, unless a call inside it has been told of its items.
    flushing: Cell<Option<BatchId>>,
    pub(crate) wakes: Arc<WakeQueue>,
    /// The waker for a task that nothing foreign waits on behalf of, i.e. nearly every one.
    spare: Cell<Option<TaskWaker>>,
    /// The wakers of tasks that somebody outside keeps a clone of.
    kept: RefCell<HashMap<TaskId, TaskWaker>>,
    has_kept: Cell<bool>,
    /// What combinators with wakers of their own have asked for.
    foreign: RefCell<Vec<Dependency>>,
    /// What other executors have asked for.
    pub(crate) hub: Hub,
}

/// What the task that is being polled has asked for so far.
#[derive(Default)]
struct Polling {
    /// How many awaits are pending: one in `t.await` and `all(..)`, several in `join!`.
    awaits: Cell<usize>,
    /// The context that the first of them is in, if its branch was left with nothing pending
    /// outside; and how many were pending then.
    inside: Cell<Option<(ContextId, usize)>>,
    /// The address of the task's own waker; a poll with another one comes from a combinator that
    /// has to be told which of its futures is ready.
    waker: Cell<Option<NonNull<()>>>,
}

impl Polling {
    /// A poll begins, with `waker`.
    fn begin(&self, waker: &Waker) {
        self.awaits.set(0);
        self.inside.set(None);
        self.waker.set(NonNull::new(waker.data().cast_mut()));
    }

    fn end(&self) {
        self.waker.set(None);
    }

    /// Puts a poll aside, while a call inside it polls others.
    fn suspend(&self) -> Self {
        Self {
            awaits: self.awaits.take().into(),
            inside: self.inside.take().into(),
            waker: self.waker.take().into(),
        }
    }

    fn resume(&self, suspended: &Self) {
        self.awaits.set(suspended.awaits.get());
        self.inside.set(suspended.inside.get());
        self.waker.set(suspended.waker.get());
    }
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

/// The running task asks for `future`, in one await. Returns whether it has to wait.
pub(crate) fn request(future: &mut impl Request, cx: &Context<'_>) -> bool {
    with(|scheduler| {
        let Some(own) = scheduler.polling.waker.get() else {
            return scheduler.request_outside(future, cx.waker());
        };
        let own = own.as_ptr().cast_const() == cx.waker().data();
        let pending = future.request((!own).then(|| cx.waker()));
        if pending {
            scheduler.count_await();
        }
        pending
    })
}

impl Scheduler {
    fn new() -> Self {
        Self {
            engine: RefCell::new(Engine::new()),
            audience: Audience::default(),
            polling: Polling::default(),
            creator: RefCell::default(),
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
        let mut creator = self.creator.borrow_mut();
        if creator.is_none() {
            *creator = self.running().map(|task| task.frame());
        }
        creator.clone()
    }

    /// The asynq stack of the task that runs now.
    pub(crate) fn stack(&self) -> Option<AsynqStack> {
        self.running().map(|task| task.stack())
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
            Step::Rank(batch) => self.rank(batch),
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
        let waker = waker.unwrap_or_else(|| TaskWaker::new(&self.wakes));
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
    fn take_kept(&self, id: TaskId) -> Option<TaskWaker> {
        // The common case, without a look.
        if self.has_kept.get() { self.find_kept(id) } else { None }
    }

    #[cold]
    fn find_kept(&self, id: TaskId) -> Option<TaskWaker> {
        let mut kept = self.kept.borrow_mut();
        let waker = kept.remove(&id);
        self.has_kept.set(!kept.is_empty());
        waker
    }

    #[cold]
    fn keep(&self, id: TaskId, waker: TaskWaker) {
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
        let ranking = if base == 0 { Ranking::BySize } else { Ranking::Ask };
        self.engine().add_batch(batch, ranking)
    }

    fn batch(&self, id: BatchId) -> Rc<dyn Flushable> {
        let batch = self.engine().batch(id).and_then(Weak::upgrade);
        batch.expect("a batch is closed when it is dropped")
    }

    fn rank(&self, id: BatchId) {
        let batch = self.batch(id);
        let priority = (batch.base_priority(), batch.len());
        self.engine().rank(id, priority);
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

    /// A branch of the running task is left while it waits inside `context`. The context is not
    /// paused yet: if the task waits for nothing else, it stays inside.
    pub(crate) fn left_pending(&self, context: ContextId, awaits_before: usize) {
        let (awaits, inside) = (self.polling.awaits.get(), &self.polling.inside);
        if awaits_before == 0 && inside.get().is_none() && awaits > 0 {
            inside.set(Some((context, awaits)));
        }
    }

    /// How many awaits of the running task are pending.
    pub(crate) fn awaits(&self) -> usize {
        self.polling.awaits.get()
    }
}

/// Awaiting.
impl Scheduler {
    /// The running task asks for `on`, in an await that `cx` belongs to.
    pub(crate) fn depend(&self, on: Dependency) {
        let mut engine = self.engine();
        // Nothing runs if the task was cancelled by what it ran: then this poll is its last.
        if engine.running().is_some() {
            engine.depend(on);
        }
    }

    /// Whether the future that asks is polled by a task of ours.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.waker.get().is_some()
    }

    /// One more await of the running task is pending.
    fn count_await(&self) {
        self.polling.awaits.set(self.polling.awaits.get() + 1);
    }

    /// A combinator with wakers of its own has asked for `on`. It may go on to be polled by
    /// another task, which will not ask again.
    pub(crate) fn asked_by_foreign(&self, on: Dependency) {
        if !self.is_polling() {
            return self.hub.ask(on);
        }
        let mut foreign = self.foreign.borrow_mut();
        if foreign.len() == foreign.capacity() {
            let engine = self.engine();
            foreign.retain(|&on| !engine.is_computed(on));
        }
        foreign.push(on);
    }

    /// Before the thread sleeps, makes this call drive whatever foreign combinators wait for.
    pub(crate) fn need_foreign(&self) {
        let mut foreign = self.foreign.borrow_mut();
        let mut engine = self.engine();
        foreign.retain(|&on| !engine.is_computed(on));
        for &on in &*foreign {
            engine.need(on);
        }
    }
}
