//! The engine itself: its parts, synchronous calls, and the loop.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use slotmap::SlotMap;

use crate::agenda::Choice;
use crate::batch::{Batch, BatchId, BatchState, Item};
use crate::context::{ContextId, Contexts};
use crate::dependency::Dependency;
use crate::event::Event;
use crate::frame::{Frame, Frames};
use crate::host::Host;
use crate::ready::Tickets;
use crate::step::Step;
use crate::task::{State, Task, TaskId};

/// How many entries an empty list keeps room for.
pub(crate) const SPARE: usize = 1 << 16;

/// The scheduler of one thread. See the [crate documentation](crate) for how to drive it.
pub struct Engine<H: Host> {
    pub(crate) tasks: SlotMap<TaskId, Task<H>>,
    pub(crate) batches: SlotMap<BatchId, Batch<H>>,
    pub(crate) contexts: Contexts<H>,
    pub(crate) frames: Frames<H::Priority>,
    pub(crate) tickets: Tickets,
    /// Tasks that were woken since the last step, with the numbers of their waits.
    pub(crate) woken: Vec<(u64, TaskId)>,
    /// The room of a batch that was closed, for the next one.
    pub(crate) spare_items: Vec<Item>,
    pub(crate) last_wait: u64,
    pub(crate) last_batch: u64,
    events: Option<VecDeque<Event>>,
}

impl<H: Host> Default for Engine<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Host> Engine<H> {
    /// An engine without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tasks: SlotMap::with_key(),
            batches: SlotMap::with_key(),
            contexts: Contexts::new(),
            frames: Frames::default(),
            tickets: Tickets::default(),
            woken: Vec::new(),
            spare_items: Vec::new(),
            last_wait: 0,
            last_batch: 0,
            events: None,
        }
    }
}

/// # 2. Call
impl<H: Host> Engine<H> {
    /// Begins a synchronous call of `task`: from now on [`next`](Self::next) drives what it needs,
    /// until it has ended. Calls nest: a task that runs may make one.
    ///
    /// What the caller has active stays active until the call returns.
    pub fn enter(&mut self, task: TaskId) {
        self.settle();
        self.adopt(task);
        self.frames.push(task, self.contexts.height());
        self.need(task);
        let depth = self.frames.depth();
        self.record(|| Event::Entered { root: task, depth });
    }

    /// Gives up the innermost call: from now on [`next`](Self::next) only pauses what is still
    /// active, and then says [`Step::Done`]. What the call has started rests, or goes on in the
    /// call around it.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn abandon(&mut self) {
        let frame = self.frame_mut();
        frame.abandoned = true;
        frame.running = None;
    }

    /// Makes the innermost call drive `on` as well, for a task in it that waits for `on` in a way
    /// the engine was not told of.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn need(&mut self, on: impl Into<Dependency>) {
        let serial = self.frame_mut().serial;
        let on = on.into();
        if !self.is_computed(on) {
            self.claim(on, serial);
        }
    }

    /// Ends the innermost call, after [`Step::Done`].
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn exit(&mut self) {
        self.frames.pop();
        let depth = self.frames.depth();
        self.record(|| Event::Exited { depth });
    }

    /// Takes out everything that the calls have left behind, in no particular order: tasks and
    /// promises that have not ended, and batches that are not closed. Contexts are left. It is for
    /// the front end to add again whatever somebody still asks for.
    ///
    /// # Panics
    ///
    /// If a call is under way.
    pub fn take_rest(&mut self) -> (Vec<H::Task>, Vec<H::Batch>) {
        assert!(self.frames.depth() == 0, "only after the outermost `exit`");
        self.frames.forget_idle();
        self.contexts.clear();
        self.woken.clear();
        let tasks = self.tasks.drain().map(|(_, task)| task.payload).collect();
        let batches = self.batches.drain().map(|(_, batch)| batch.payload).collect();
        (tasks, batches)
    }

    /// How many calls are under way.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.frames.depth()
    }
}

/// # 3. Loop
impl<H: Host> Engine<H> {
    /// What to do next for the innermost call.
    ///
    /// Everything that is runnable runs first; then the batch of highest priority is flushed;
    /// [`Step::Wait`] comes only when neither can be done.
    ///
    /// # Panics
    ///
    /// If there is no call, or [`Step::Run`] was not answered.
    #[allow(clippy::should_implement_trait, reason = "not an iterator: each step is answered")]
    pub fn next(&mut self) -> Step {
        self.settle();
        let frame = self.frames.top_mut().expect("only between `enter` and `exit`");
        assert!(frame.running.is_none(), "answer Step::Run by `block` or `complete` first");
        let (root, floor) = (frame.root, frame.floor);
        if frame.abandoned || !self.tasks.contains_key(root) {
            return self.switch_to(None, floor).unwrap_or(Step::Done);
        }
        if let Some((task, scope)) = frame.ready.front(&self.tasks) {
            return self.switch_to(scope, floor).unwrap_or_else(|| self.run(task));
        }
        match frame.agenda.choose(&mut self.batches) {
            Choice::Ask(batch) => Step::Rank(batch),
            Choice::Flush(batch) => self.switch_to(None, floor).unwrap_or_else(|| {
                self.begin_flush(batch);
                Step::Flush(batch)
            }),
            Choice::Nothing if frame.outside > 0 => {
                self.switch_to(None, floor).unwrap_or_else(|| {
                    self.record(|| Event::Waited);
                    Step::Wait
                })
            }
            Choice::Nothing => {
                let deadlock = self.find_deadlock(root);
                self.record(|| Event::Deadlocked(deadlock.victims.clone()));
                for &victim in &deadlock.victims {
                    self.interrupt(victim);
                }
                Step::Deadlock(Box::new(deadlock))
            }
        }
    }

    fn run(&mut self, task: TaskId) -> Step {
        let frame = self.frames.top_mut().expect("called by `next`");
        frame.ready.pop_front();
        frame.agenda.forget_answers(&mut self.batches);
        frame.running = Some(task);
        frame.asked.clear();
        let node = &mut self.tasks[task];
        node.state = State::Running { woken: false };
        let started = core::mem::replace(&mut node.started, true);
        self.record(|| if started { Event::Continued(task) } else { Event::Started(task) });
        Step::Run(task)
    }

    #[inline]
    fn switch_to(&mut self, scope: Option<ContextId>, floor: usize) -> Option<Step> {
        // Nearly always, there are no contexts.
        if self.contexts.is_settled(scope, floor) {
            None
        } else {
            self.switch_further(scope, floor)
        }
    }

    fn switch_further(&mut self, scope: Option<ContextId>, floor: usize) -> Option<Step> {
        let step = self.contexts.switch(scope, floor);
        match step {
            Some(Step::Pause(context)) => self.record(|| Event::Paused(context)),
            Some(Step::Resume(context)) => self.record(|| Event::Resumed(context)),
            _ => {}
        }
        step
    }

    /// The next [`Step::Pause`] or [`Step::Resume`] that the task which runs now needs, after
    /// [`set_scope`](Self::set_scope) moved it; `None` when its contexts are active and no others
    /// above those of the call.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn switch(&mut self) -> Option<Step> {
        let frame = self.frame_mut();
        let (running, floor) = (frame.running, frame.floor);
        let scope = running.and_then(|task| self.tasks.get(task)).and_then(|task| task.scope);
        self.switch_to(scope, floor)
    }

    pub(crate) fn frame_mut(&mut self) -> &mut Frame<H::Priority> {
        self.frames.top_mut().expect("only between `enter` and `exit`")
    }
}

/// # 7. Look
impl<H: Host> Engine<H> {
    /// What was given to [`add_task`](Self::add_task); `None` after the task has ended.
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<&H::Task> {
        self.tasks.get(task).map(|task| &task.payload)
    }

    /// What was given to [`add_batch`](Self::add_batch); `None` after the batch was closed.
    #[must_use]
    pub fn batch(&self, batch: BatchId) -> Option<&H::Batch> {
        self.batches.get(batch).map(|batch| &batch.payload)
    }

    /// What was given to [`enter_context`](Self::enter_context); `None` after the context was left
    /// and nothing leads to it any more.
    #[must_use]
    pub fn context(&self, context: ContextId) -> Option<&H::Context> {
        self.contexts.payload(context)
    }

    /// Whether a batch takes no more items: its flush has begun, or it was closed.
    #[must_use]
    pub fn is_flushed(&self, batch: BatchId) -> bool {
        !self.batches.get(batch).is_some_and(|batch| matches!(batch.state, BatchState::Open(_)))
    }

    /// The task that runs now in the innermost call.
    #[must_use]
    pub fn running(&self) -> Option<TaskId> {
        self.frames.top().and_then(|frame| frame.running)
    }

    /// The contexts that are active, the outermost first.
    #[must_use]
    pub fn active_contexts(&self) -> &[ContextId] {
        self.contexts.active()
    }

    /// The payloads of all tasks and promises that have not ended, in no particular order.
    pub fn tasks(&self) -> impl Iterator<Item = &H::Task> {
        self.tasks.values().map(|task| &task.payload)
    }

    /// The payloads of all batches that are not closed, in no particular order.
    pub fn batches(&self) -> impl Iterator<Item = &H::Batch> {
        self.batches.values().map(|batch| &batch.payload)
    }

    /// How many tasks and promises there are that have not ended.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// How many batches there are that are not closed.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.batches.len()
    }

    /// Begins or ends the recording of [`Event`]s. Without it a step costs one branch more.
    pub fn listen(&mut self, listen: bool) {
        if listen {
            self.events.get_or_insert_default();
        } else {
            self.events = None;
        }
    }

    /// The oldest event that was not read yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.as_mut()?.pop_front()
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.events.is_some()
    }

    #[inline]
    pub(crate) fn record(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push_back(event());
        }
    }
}
