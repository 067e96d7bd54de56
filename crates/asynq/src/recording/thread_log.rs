//! The log of a thread: the steps of its scheduler, in one recording.

use std::sync::Arc;

use asynq_engine::{ContextId, Dependency, ItemId, TaskId};

use super::clock::Clock;
use super::pieces::PIECE;
use super::session::Session;
use super::step::{At, Entry, Need, Place, Step};
use super::tables::{Batches, Function, Table, Task, Tasks};
use crate::call_stack::Site;

/// The steps of one thread in one recording, until they are handed to that.
pub(super) struct ThreadLog {
    pub(super) session: Arc<Session>,
    thread: u32,
    pub(super) clock: Clock,
    ids: std::ops::Range<u32>,
    steps: Vec<Entry>,
    pub(super) tasks: Tasks,
    pub(super) batches: Batches,
    /// Texts with the names of contexts.
    contexts: Table<u32>,
    /// Calls in progress, the innermost last. The first is code outside of calls.
    pub(super) calls: Vec<Call>,
    pub(super) flushing: Flushing,
    /// The loader that was asked last, and its source; 0 if there is none.
    pub(super) last_loader: (u64, u32),
    /// Functions of sources and loaders that run, the innermost last.
    pub(super) functions: Vec<Function>,
    /// Requests outside of tasks that are polled now, the innermost last, with their numbers.
    pub(super) requests: Vec<(u64, Task)>,
    /// Place of the last await that has to wait.
    pub(super) awaited: Option<Place>,
    /// The outermost call is recorded.
    pub(super) samples: bool,
}

/// A synchronous call in progress.
#[derive(Clone, Copy, Default)]
pub(super) struct Call {
    pub(super) running: Option<TaskId>,
    /// Its root is nobody's task.
    is_rootless: bool,
}

/// The batch whose flush runs now.
#[derive(Clone, Copy)]
pub(super) enum Flushing {
    Nothing,
    /// One that is not recorded.
    Quiet,
    Batch(u32),
}

impl ThreadLog {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            thread: session.new_thread(),
            session,
            clock: Clock::default(),
            ids: 0..0,
            steps: Vec::new(),
            tasks: Tasks::default(),
            batches: Batches::default(),
            contexts: Table::default(),
            calls: vec![Call::default()],
            flushing: Flushing::Nothing,
            last_loader: (0, 0),
            functions: Vec::new(),
            requests: Vec::new(),
            awaited: None,
            samples: true,
        }
    }

    pub(super) fn thread(&self) -> u32 {
        self.thread
    }

    /// Returns whether the code that runs now is recorded.
    pub(super) fn samples(&self) -> bool {
        self.samples
    }

    pub(super) fn new_id(&mut self) -> u32 {
        if self.ids.is_empty() {
            self.ids = self.session.new_ids();
        }
        self.ids.next().unwrap_or_default()
    }

    /// Adds a step, at the time of the last reading.
    #[inline]
    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(Entry { time: self.clock.now, step });
        if self.steps.len() >= PIECE {
            self.hand_over();
        }
    }

    /// Hands the steps to the recording.
    #[cold]
    pub(super) fn hand_over(&mut self) {
        self.session.state().add_steps(&mut self.steps);
    }

    /// Returns the task that runs in the innermost call or, before it has begun, around that.
    pub(super) fn running(&mut self) -> Option<Task> {
        match self.calls.last().and_then(|call| call.running) {
            Some(task) => self.tasks.get(task).copied(),
            None if self.runs_function() => self.function(),
            None => self.requests.last().map(|&(_, request)| request),
        }
    }

    /// Returns the number of calls in progress.
    pub(super) fn depth(&self) -> usize {
        self.calls.len()
    }

    /// Returns whether no task runs in the calls from a depth on.
    pub(super) fn is_idle_from(&self, depth: usize) -> bool {
        self.calls.iter().skip(depth.saturating_sub(1)).all(|call| call.running.is_none())
    }

    /// Returns whether a task runs.
    pub(super) fn runs_task(&self) -> bool {
        self.calls.last().is_some_and(|call| call.running.is_some())
    }

    fn set_running(&mut self, task: Option<TaskId>) {
        if let Some(call) = self.calls.last_mut() {
            call.running = task;
        }
    }
}

/// # Tasks
impl ThreadLog {
    pub(super) fn create(&mut self, task: TaskId, function: &'static Site, at: Place) {
        if !self.samples {
            return;
        }
        let flush = match self.flushing {
            // The function of a loader has called it.
            _ if self.runs_part() => 0,
            // The flush of a loader waits for a call that the loader reports.
            Flushing::Quiet => return,
            Flushing::Batch(batch) => batch,
            Flushing::Nothing => 0,
        };
        let creator = if flush == 0 { self.running() } else { None };
        let id = self.new_id();
        let contexts = creator.map_or(0, |creator| creator.contexts);
        let by = creator.map(|creator| (creator.id, creator.function));
        let (thread, awaited) = (self.thread, self.awaited);
        self.push(Step::Task { id, thread, function, at, awaited, by, contexts, flush });
        self.tasks.insert(task, Task { id, function, contexts });
    }

    #[inline]
    pub(super) fn run(&mut self, task: TaskId) {
        if !self.samples {
            return;
        }
        self.set_running(Some(task));
        if let Some(id) = self.tasks.id(task) {
            self.clock.tick(&self.session);
            self.push(Step::Run { task: id });
        }
    }

    #[inline]
    pub(super) fn block(&mut self, task: TaskId, on: &[Dependency]) {
        if !self.samples {
            return;
        }
        self.set_running(None);
        let place = self.awaited.take();
        let Some(&Task { id: task, function, .. }) = self.tasks.get(task) else { return };
        let at = place.map(|place| At { function, place });
        if let [on] = on
            && let Some(need) = self.need(*on)
        {
            return self.push(Step::WaitForOne { task, at, need });
        }
        let needs = on.iter().filter_map(|&on| self.need(on)).collect();
        self.push(Step::Wait { task, at, needs, any: false });
    }

    fn need(&self, on: Dependency) -> Option<Need> {
        match on {
            Dependency::Task(task) => self.tasks.id(task).map(Need::Task),
            Dependency::Item(ItemId { batch, index }) => {
                let loads = &self.batches.get(batch)?.loads;
                let load = *loads.get(usize::try_from(index).ok()?)?;
                (load != 0).then_some(Need::Load(load))
            }
        }
    }

    pub(super) fn end(&mut self, task: TaskId, error: Option<&str>) {
        if self.calls.last().is_some_and(|call| call.running == Some(task)) {
            self.set_running(None);
        }
        if !self.samples {
            return;
        }
        if let Some(Task { id, .. }) = self.tasks.remove(task) {
            let error = error.map_or(0, |error| self.session.state().text(one_line(error)));
            self.push(Step::End { task: id, error });
        }
    }
}

/// # Calls and contexts
impl ThreadLog {
    pub(super) fn begin_call(&mut self, root: TaskId, place: Option<Place>, depth: usize) {
        if self.calls.len() == 1 && !self.session.state().samples() {
            self.samples = false;
        }
        self.calls.resize(depth, Call::default());
        let caller = self.running();
        self.calls.push(Call::default());
        if !self.samples {
            return;
        }
        let Some(root) = self.tasks.id(root) else {
            if let Some(call) = self.calls.last_mut() {
                call.is_rootless = true;
            }
            return;
        };
        let at = caller.zip(place).map(|(caller, place)| At { function: caller.function, place });
        let (thread, task) = (self.thread, caller.map_or(0, |caller| caller.id));
        self.clock.read(&self.session);
        self.push(Step::Call { thread, root, task, at, depth: small(depth) });
    }

    pub(super) fn end_call(&mut self, depth: usize) {
        let is_rootless = self.calls.get(depth + 1).is_some_and(|call| call.is_rootless);
        self.calls.truncate(depth + 1);
        if self.samples && !is_rootless {
            self.clock.read(&self.session);
            self.push(Step::Return { thread: self.thread, depth: small(depth) });
        }
        if depth == 0 {
            self.samples = true;
            self.hand_over();
        }
    }

    pub(super) fn enter(&mut self, context: ContextId, name: &str) {
        if !self.samples {
            return;
        }
        let Some(running) = self.running() else { return };
        let name = name.lines().next().unwrap_or_default();
        let (text, contexts) = {
            let mut state = self.session.state();
            let before = state.text_of(running.contexts);
            let all = before.map_or_else(|| name.to_owned(), |before| format!("{before}\n{name}"));
            (state.text(name), state.text(&all))
        };
        self.contexts.insert(context, text);
        self.set_contexts(contexts);
        self.push(Step::Enter { task: running.id, context: text });
    }

    pub(super) fn leave(&mut self, context: ContextId) {
        let Some(text) = self.contexts.remove(context) else { return };
        let Some(running) = self.running().filter(|_| self.samples) else { return };
        let contexts = {
            let mut state = self.session.state();
            let name = state.text_of(text).unwrap_or_default();
            let all = state.text_of(running.contexts).unwrap_or_default();
            let mut all: Vec<&str> = all.lines().collect();
            if let Some(place) = all.iter().rposition(|&one| one == name) {
                all.remove(place);
            }
            let all = all.join("\n");
            if all.is_empty() { 0 } else { state.text(&all) }
        };
        self.set_contexts(contexts);
        self.push(Step::Leave { task: running.id, context: text });
    }

    /// Sets the contexts of the running task.
    fn set_contexts(&mut self, contexts: u32) {
        let running = self.calls.last().and_then(|call| call.running);
        match running.and_then(|task| self.tasks.get_mut(task)) {
            Some(task) => task.contexts = contexts,
            None => {
                if let Some((_, request)) = self.requests.last_mut() {
                    request.contexts = contexts;
                }
            }
        }
    }
}

impl Drop for ThreadLog {
    fn drop(&mut self) {
        if !self.steps.is_empty() {
            self.hand_over();
        }
    }
}

pub(super) fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(super) fn one_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
