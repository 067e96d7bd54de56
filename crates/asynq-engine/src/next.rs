//! The loop of a driver: the next step of the innermost call.

use alloc::boxed::Box;
use core::mem;

use crate::engine::Engine;
use crate::event::Event;
use crate::flush_queue::Choice;
use crate::host::Host;
use crate::id::{ContextId, TaskId};
use crate::step::Step;
use crate::task::State;

/// # 3. Loop
impl<H: Host> Engine<H> {
    /// Returns the next step of the innermost call.
    ///
    /// Everything that is runnable runs first; then the batch of highest priority is flushed;
    /// [`Step::Wait`] comes only when neither can be done.
    ///
    /// # Panics
    ///
    /// If there is no call, or [`Step::Run`] was not answered.
    #[allow(clippy::should_implement_trait, reason = "not an iterator: each step is answered")]
    #[inline(always)]
    pub fn next(&mut self) -> Step {
        self.next_run().unwrap_or_else(|| self.next_idle())
    }

    /// Returns the next step of the innermost call as long as a task of it can run, or it is over:
    /// [`next`](Self::next) for a driver that lets others run before a flush. `None` if only a flush,
    /// or a wait, is left.
    ///
    /// # Panics
    ///
    /// If there is no call, or [`Step::Run`] was not answered.
    #[inline(always)]
    pub fn next_run(&mut self) -> Option<Step> {
        match self.run_first() {
            Some((task, _)) => Some(Step::Run(task)),
            None => self.next_of_any(),
        }
    }

    /// Begins [`Step::Run`] with the first ready task of the innermost call if, as nearly always, nothing has to be
    /// done before: there are no contexts, nobody listens, the call goes on, and the first entry of its list is
    /// current. Otherwise, [`next`](Self::next) says what to do.
    #[inline(always)]
    pub fn run_first(&mut self) -> Option<(TaskId, &H::Task)> {
        if !self.contexts.is_empty() || self.is_listening() {
            return None;
        }
        if !self.woken.is_empty()
            && let Some(task) = self.run_woken()
        {
            return self.tasks.get(task).map(|node| (task, &node.payload));
        }
        let frame = self.frames.top_mut()?;
        if frame.running.is_some() || frame.abandoned || !self.tasks.contains_key(frame.root) {
            return None;
        }
        let (task, node) = frame.ready.take_front(&mut self.tasks)?;
        frame.flush_queue.forget_answers(&mut self.batches);
        frame.running = Some(task);
        frame.dependencies.clear();
        node.state = State::Running { woken: false };
        node.started = true;
        Some((task, &node.payload))
    }

    /// Begins to run the task that was woken since the last step, if there is only one. Several of them go into the
    /// lists of ready tasks.
    #[inline(never)]
    fn run_woken(&mut self) -> Option<TaskId> {
        let woken = self.only_woken();
        match woken {
            Some(task) => self.begin_run(task),
            None => self.queue_woken(),
        }
        woken
    }

    fn next_of_any(&mut self) -> Option<Step> {
        if let Some(task) = self.run_woken() {
            return Some(Step::Run(task));
        }
        if let Some((task, _)) = self.run_first() {
            return Some(Step::Run(task));
        }
        let frame = self.frames.top_mut().expect("only between `enter` and `exit`");
        assert!(frame.running.is_none(), "answer Step::Run by `block` or `complete` first");
        let (root, callers) = (frame.root, frame.callers);
        if frame.abandoned || !self.tasks.contains_key(root) {
            return Some(self.switch_to(callers).unwrap_or(Step::Done));
        }
        let (task, scope) = frame.ready.front(&self.tasks)?;
        Some(self.switch_to(scope).unwrap_or_else(|| self.run(task)))
    }

    fn next_idle(&mut self) -> Step {
        let frame = self.frames.top_mut().expect("called by `next`");
        let (root, callers, waits) = (frame.root, frame.callers, frame.external_waits > 0);
        if let Some(step) = self.choose_flush(callers) {
            step
        } else if waits {
            self.switch_to(callers).unwrap_or_else(|| {
                self.record(|| Event::Waited);
                Step::Wait
            })
        } else {
            Step::Deadlock(Box::new(self.break_deadlock(root)))
        }
    }

    /// Returns the next step towards a flush in the innermost call, although tasks can run: for a
    /// driver whose tasks can always run. `None` if the call has no batch to flush.
    ///
    /// # Panics
    ///
    /// If there is no call, or [`Step::Run`] was not answered.
    pub fn next_flush(&mut self) -> Option<Step> {
        let frame = self.frames.top_mut().expect("only between `enter` and `exit`");
        assert!(frame.running.is_none(), "answer Step::Run by `block` or `complete` first");
        let callers = frame.callers;
        if frame.abandoned { None } else { self.choose_flush(callers) }
    }

    /// Returns whether the innermost call has a batch to flush.
    #[must_use]
    pub fn has_flush(&self) -> bool {
        self.frames.top().is_some_and(|frame| frame.flush_queue.has_any(&self.batches))
    }

    fn choose_flush(&mut self, callers: Option<ContextId>) -> Option<Step> {
        let asks = self.is_listening();
        let frame = self.frames.top_mut()?;
        match frame.flush_queue.choose(&mut self.batches, asks) {
            Choice::AskPriority(batch) => Some(Step::Priority(batch)),
            Choice::Flush(batch) => {
                let scope = if self.contexts.is_empty() {
                    None
                } else {
                    self.scope_of_next_flush(batch, callers)
                };
                Some(self.switch_to(scope).unwrap_or_else(|| {
                    self.begin_chosen_flush(batch, scope);
                    Step::Flush(batch)
                }))
            }
            Choice::Nothing => None,
        }
    }

    /// Takes the task that was woken since the last step, if there is only one and nothing has to be done
    /// before it runs: it passes by the list of ready tasks, of which it would be the first.
    #[inline]
    fn only_woken(&mut self) -> Option<TaskId> {
        let (woken, needed_by) = self.woken.only()?;
        let frame = self.frames.top()?;
        let is_next = frame.id <= needed_by
            && frame.running.is_none()
            && !frame.abandoned
            && self.tasks.contains_key(frame.root);
        let node = self.tasks.get(woken.task)?;
        let is_current = node.state == State::Ready && node.stamp == woken.stamp;
        if !(is_next && is_current && self.contexts.is_switched(node.scope)) {
            return None;
        }
        self.woken.pop();
        Some(woken.task)
    }

    fn run(&mut self, task: TaskId) -> Step {
        self.frame_mut().ready.pop_front();
        self.begin_run(task);
        Step::Run(task)
    }

    fn begin_run(&mut self, task: TaskId) {
        let frame = self.frames.top_mut().expect("called by `next`");
        frame.flush_queue.forget_answers(&mut self.batches);
        frame.running = Some(task);
        frame.dependencies.clear();
        let node = &mut self.tasks[task];
        node.state = State::Running { woken: false };
        let started = mem::replace(&mut node.started, true);
        self.record_run(task, started);
    }

    #[inline]
    fn record_run(&mut self, task: TaskId, started: bool) {
        self.record(|| if started { Event::Continued(task) } else { Event::Started(task) });
    }

    /// Returns the next [`Step::Pause`] or [`Step::Resume`] that the task which runs now needs,
    /// after [`set_scope`](Self::set_scope) moved it; `None` when its contexts are active and no
    /// others. Does nothing if no task runs.
    pub fn switch(&mut self) -> Option<Step> {
        let scope = self.tasks.get(self.running()?)?.scope;
        self.switch_to(scope)
    }

    /// Returns the next [`Step::Pause`] or [`Step::Resume`] on the way to the contexts from `scope`
    /// outwards, before and after a flush out of turn ([`enter_flush`](Self::enter_flush)).
    #[inline]
    pub fn switch_to(&mut self, target: Option<ContextId>) -> Option<Step> {
        // Nearly always, there are no contexts.
        if self.contexts.is_switched(target) { None } else { self.continue_switch(target) }
    }

    fn continue_switch(&mut self, target: Option<ContextId>) -> Option<Step> {
        let step = self.contexts.switch(target);
        match step {
            Some(Step::Pause(context)) => self.record(|| Event::Paused(context)),
            Some(Step::Resume(context)) => self.record(|| Event::Resumed(context)),
            _ => {}
        }
        step
    }
}
