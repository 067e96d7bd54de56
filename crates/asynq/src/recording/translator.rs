//! The events of a scheduler, as those of a recording.

use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::sync::Arc;

use asynq_explain::{
    BatchAnswered, BatchSent, CallBegins, CallEnds, ContextChange, Event as Recorded, How, Id,
    KeyLoaded, Reason, TaskCreated, TaskEnds, TaskRuns, TaskWaits,
};

use foldhash::fast::RandomState;

use super::session::{Loaded, LoaderKey, Part, Request, Session};
use crate::debug::{Awaited, Batch, Event, Task};

/// Function of code outside of tasks.
const OUTSIDE: &str = "code outside of tasks";

/// Function of code in a request outside of tasks.
const REQUEST: &str = "request";

/// Translates the events of one scheduler.
pub(super) struct Translator {
    pub(super) session: Arc<Session>,
    thread: u32,
    /// Tasks by their numbers. Those that are not recorded are missing.
    tasks: HashMap<u64, Known, RandomState>,
    /// Number of the task that runs in each call, the innermost call last. The first is outside of calls.
    running: Vec<Option<u64>>,
    /// Calls whose root is nobody's task.
    rootless: HashSet<usize, RandomState>,
    /// Items by batch and index.
    items: HashMap<(u64, u32), Id, RandomState>,
    batches: HashMap<u64, OpenBatch, RandomState>,
    /// Batches that a loader reports itself.
    quiet: HashSet<u64, RandomState>,
    flushing: Flushing,
    /// Requests outside of tasks that are polled now, the innermost last, with their numbers.
    requests: Vec<(u64, Known)>,
    /// Place of the last await that has to wait.
    pub(super) awaited: Option<&'static Location<'static>>,
    /// The outermost call is recorded.
    samples: bool,
}

#[derive(Clone, Copy)]
struct Known {
    id: Id,
    function: &'static str,
}

/// A batch that was not answered.
#[derive(Default)]
struct OpenBatch {
    source: Id,
    loads: Vec<Id>,
    /// Its id, once it was sent.
    id: Option<Id>,
}

/// A key that is asked for.
pub(super) struct KeyAsked {
    pub(super) at: Option<&'static Location<'static>>,
    pub(super) hash: Option<u64>,
    pub(super) text: Option<String>,
    pub(super) how: How,
    /// The load whose value it shares.
    pub(super) of: Option<Id>,
}

/// The batch whose flush runs now.
#[derive(Clone, Copy)]
enum Flushing {
    Nothing,
    /// One that is not recorded.
    Quiet,
    Batch(Id),
}

/// State of a key whose batch is sent on another thread.
#[derive(Clone, Copy)]
pub(super) enum Elsewhere {
    Unsent,
    Sent(LoaderKey),
    Answered,
}

impl Translator {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            thread: session.new_thread(),
            session,
            tasks: HashMap::default(),
            running: vec![None],
            rootless: HashSet::default(),
            items: HashMap::default(),
            batches: HashMap::default(),
            quiet: HashSet::default(),
            flushing: Flushing::Nothing,
            requests: Vec::new(),
            awaited: None,
            samples: true,
        }
    }

    pub(super) fn thread(&self) -> u32 {
        self.thread
    }

    pub(super) fn report(&mut self, event: &Event) {
        if let &Event::Called { ref task, depth } = event {
            return self.begin_call(task, depth);
        }
        if let &Event::Returned { depth } = event {
            return self.end_call(depth);
        }
        if !self.samples {
            return;
        }
        match event {
            Event::Created { task, .. } => self.create(task),
            Event::Started(task) | Event::Continued(task) => {
                self.set_running(Some(task.number));
                if let Some(task) = self.id(task) {
                    self.record(|t| Recorded::Run(TaskRuns { t, task }));
                }
            }
            Event::Blocked { task, on } => self.block(task, on),
            Event::Finished(task) => self.end(task, None),
            Event::Failed { task, message } => self.end(task, Some(one_line(message))),
            Event::Entered(context) => self.change_context(&context.name, Recorded::Enter),
            Event::Left(context) => self.change_context(&context.name, Recorded::Leave),
            Event::FlushBegan { batch, items } => self.begin_flush(batch, *items),
            Event::FlushDeferred(_) => self.flushing = Flushing::Nothing,
            Event::FlushEnded(batch) => self.end_flush(batch),
            _ => {}
        }
    }

    fn record(&self, event: impl FnOnce(u64) -> Recorded) {
        let mut state = self.session.state();
        let t = self.session.now();
        state.record(event(t));
    }

    /// Returns the task that runs in the innermost call or, before it has begun, around that.
    fn running(&self) -> Option<Known> {
        match self.running.last().copied().flatten() {
            Some(number) => self.tasks.get(&number).copied(),
            None => self.requests.last().map(|&(_, request)| request),
        }
    }

    fn set_running(&mut self, number: Option<u64>) {
        if let Some(running) = self.running.last_mut() {
            *running = number;
        }
    }

    fn id(&self, task: &Task) -> Option<Id> {
        self.tasks.get(&task.number).map(|known| known.id)
    }

    fn create(&mut self, task: &Task) {
        let Some(call) = task.call else { return };
        let flush = match self.flushing {
            // The flush of a loader waits for a call that the loader reports.
            Flushing::Quiet => return,
            Flushing::Batch(batch) => Some(batch),
            Flushing::Nothing => None,
        };
        let creator = if flush.is_some() { None } else { self.running() };
        let mut state = self.session.state();
        let t = self.session.now();
        let id = state.recorder.next_id();
        let is_block = call.function == "async block";
        let site = state.site(call.function, if is_block { call.at } else { call.written() });
        // The place of a function that was passed as a value is where it was awaited.
        let place = if call.is_passed() { self.awaited.unwrap_or(call.at) } else { call.at };
        let at = creator.map(|creator| state.site(creator.function, place));
        let by = creator.map(|creator| creator.id);
        let (thread, contexts) = (self.thread, Vec::new());
        state.record(Recorded::Task(TaskCreated { t, id, thread, site, by, at, contexts, flush }));
        drop(state);
        self.tasks.insert(task.number, Known { id, function: call.function });
    }

    fn block(&mut self, task: &Task, on: &[Awaited]) {
        self.set_running(None);
        let place = self.awaited.take();
        let Some(&Known { id, function }) = self.tasks.get(&task.number) else { return };
        let (mut tasks, mut loads) = (Vec::new(), Vec::new());
        for on in on {
            match on {
                Awaited::Task(task) => tasks.extend(self.id(task)),
                Awaited::Item { batch, index } => {
                    let index = u32::try_from(*index).unwrap_or(u32::MAX);
                    loads.extend(self.items.get(&(batch.number, index)));
                }
            }
        }
        let mut state = self.session.state();
        let t = self.session.now();
        let at = place.map(|place| state.site(function, place));
        state.record(Recorded::Wait(TaskWaits { t, task: id, at, tasks, loads, any: false }));
    }

    fn end(&mut self, task: &Task, error: Option<String>) {
        if self.running.last() == Some(&Some(task.number)) {
            self.set_running(None);
        }
        if let Some(Known { id, .. }) = self.tasks.remove(&task.number) {
            self.record(|t| Recorded::End(TaskEnds { t, task: id, error }));
        }
    }

    fn begin_call(&mut self, task: &Task, depth: usize) {
        if self.running.len() == 1 {
            let samples = self.session.state().recorder.samples();
            if !samples {
                self.samples = false;
            }
        }
        self.running.resize(depth, None);
        let caller = self.running();
        self.running.push(None);
        if !self.samples {
            return;
        }
        let Some(&Known { id, .. }) = self.tasks.get(&task.number) else {
            self.rootless.insert(depth);
            return;
        };
        let mut state = self.session.state();
        let t = self.session.now();
        let at = caller.zip(task.call).map(|(caller, call)| state.site(caller.function, call.at));
        state.record(Recorded::Call(CallBegins {
            t,
            thread: self.thread,
            root: Some(id),
            task: caller.map(|caller| caller.id),
            at,
            depth: small(depth),
        }));
    }

    fn end_call(&mut self, depth: usize) {
        self.running.truncate(depth + 1);
        let is_rootless = self.rootless.remove(&(depth + 1));
        if self.samples && !is_rootless {
            let ends = |t| CallEnds { t, thread: self.thread, depth: small(depth) };
            self.record(|t| Recorded::Return(ends(t)));
        }
        if depth == 0 {
            self.samples = true;
        }
    }

    fn change_context(&self, name: &str, event: fn(ContextChange) -> Recorded) {
        if let Some(running) = self.running() {
            let context = name.to_owned();
            self.record(|t| event(ContextChange { t, task: running.id, context }));
        }
    }

    fn begin_flush(&mut self, batch: &Batch, items: usize) {
        if self.quiet.contains(&batch.number) {
            self.flushing = Flushing::Quiet;
            return;
        }
        let reason = self.reason();
        let Some(open) = self.batches.get_mut(&batch.number) else { return };
        let mut state = self.session.state();
        let t = self.session.now();
        let id = state.recorder.next_id();
        state.record(Recorded::Flush(BatchSent {
            t,
            batch: id,
            thread: self.thread,
            source: open.source,
            loads: std::mem::take(&mut open.loads),
            keys: u64::try_from(items).unwrap_or_default(),
            priority: None,
            reason,
            call: Some(small(self.running.len() - 1)),
        }));
        open.id = Some(id);
        self.flushing = Flushing::Batch(id);
    }

    fn end_flush(&mut self, batch: &Batch) {
        self.flushing = Flushing::Nothing;
        self.quiet.remove(&batch.number);
        self.items.retain(|(number, _), _| *number != batch.number);
        if let Some(batch) = self.batches.remove(&batch.number).and_then(|batch| batch.id) {
            self.record(|t| Recorded::Answer(BatchAnswered { t, batch, failed: 0, error: None }));
        }
    }

    /// Returns the reason for a flush that begins now.
    pub(super) fn reason(&self) -> Reason {
        match self.running[..] {
            [.., Some(_)] => Reason::Asked,
            [_, _, _, ..] => Reason::Call,
            _ => Reason::Idle,
        }
    }

    /// Leaves out a batch, which sends nothing by itself.
    pub(super) fn ignore(&mut self, batch: u64) {
        self.quiet.insert(batch);
    }

    /// Adds an item to a batch of a source.
    pub(super) fn add_item(
        &mut self,
        (batch, index): (u64, u32),
        (name, place): (&str, &'static Location<'static>),
        key: KeyAsked,
    ) {
        if !self.samples {
            return;
        }
        let source = self.session.state().source(name, place);
        let (load, _) = self.load(source, key);
        self.items.insert((batch, index), load);
        let open = self.batches.entry(batch).or_default();
        open.source = source;
        open.loads.push(load);
    }

    /// Adds an item by which a task waits for a key of a loader.
    pub(super) fn join_load(
        &mut self,
        (batch, index): (u64, u32),
        key: LoaderKey,
        is_cached: bool,
    ) {
        self.quiet.insert(batch);
        let mut state = self.session.state();
        if let Some(load) = state.loads.get_mut(&key) {
            load.is_awaited = true;
            self.items.insert((batch, index), load.id);
        }
        if is_cached {
            state.loads.remove(&key);
        }
    }

    /// Adds the load of a key of a loader.
    pub(super) fn add_load(
        &self,
        key: LoaderKey,
        (name, place): (&str, &'static Location<'static>),
        mut asked: KeyAsked,
        elsewhere: Elsewhere,
    ) {
        if !self.samples {
            return;
        }
        let (source, of) = {
            let mut state = self.session.state();
            (state.source(name, place), state.loads.get(&key).map(|load| load.id))
        };
        if matches!(asked.how, How::Shared) {
            asked.of = of;
            if of.is_none() {
                // The other load is not recorded: it was before, or on another thread.
                asked.how = How::New;
            }
        }
        let is_unknown = of.is_none();
        let (load, at) = self.load(source, asked);
        let mut state = self.session.state();
        let loaded = Loaded { id: load, at, is_awaited: false };
        state.loads.entry(key).or_insert(loaded);
        if self.running.last().copied().flatten().is_none()
            && let Some(&(number, _)) = self.requests.last()
            && let Some(request) = state.requests.get_mut(&number)
        {
            request.loads.push((key, load));
        }
        if matches!(elsewhere, Elsewhere::Unsent) || !is_unknown {
            return;
        }
        // It takes a round, as if this thread were alone.
        let t = self.session.now();
        let batch = state.recorder.next_id();
        let (thread, loads) = (self.thread, vec![load]);
        let sent = BatchSent { t, batch, thread, source, loads, keys: 1, ..BatchSent::default() };
        state.record(Recorded::Flush(sent));
        match elsewhere {
            Elsewhere::Sent(part) => {
                state.parts.entry(part).or_default().push(Part { batch, keys: vec![key] });
            }
            Elsewhere::Answered => {
                state.loads.remove(&key);
                state.answered.insert(key, loaded);
                state.record(Recorded::Answer(BatchAnswered {
                    t,
                    batch,
                    ..BatchAnswered::default()
                }));
            }
            Elsewhere::Unsent => {}
        }
    }

    /// Records that a request outside of tasks runs.
    pub(super) fn begin_request(&mut self, number: u64, at: &'static Location<'static>) {
        let mut state = self.session.state();
        let t = self.session.now();
        if !state.requests.contains_key(&number) {
            let id = state.recorder.next_id();
            let site = state.site(REQUEST, at);
            let thread = self.thread;
            state.record(Recorded::Task(TaskCreated {
                t,
                id,
                thread,
                site,
                ..TaskCreated::default()
            }));
            state.requests.insert(number, Request { id, loads: Vec::new() });
        }
        let task = state.requests[&number].id;
        state.record(Recorded::Run(TaskRuns { t, task }));
        self.requests.push((number, Known { id: task, function: REQUEST }));
    }

    /// Records that a request outside of tasks waits, or has ended.
    pub(super) fn end_request(&mut self, number: u64, has_ended: bool) {
        self.requests.retain(|&(other, _)| other != number);
        let place = self.awaited.take();
        let mut state = self.session.state();
        let t = self.session.now();
        if has_ended {
            if let Some(request) = state.requests.remove(&number) {
                state.record(Recorded::End(TaskEnds { t, task: request.id, error: None }));
            }
            return;
        }
        let Some(mut request) = state.requests.remove(&number) else { return };
        request.loads.retain(|(key, id)| state.loads.get(key).is_some_and(|load| load.id == *id));
        let (task, tasks) = (request.id, Vec::new());
        let loads = request.loads.iter().map(|&(_, id)| id).collect();
        let at = place.map(|place| state.site(REQUEST, place));
        // It may join many futures, of which any goes on.
        state.record(Recorded::Wait(TaskWaits { t, task, at, tasks, loads, any: true }));
        state.requests.insert(number, request);
    }

    /// Records that a task has got a value for which it did not have to wait, since another thread had sent the batch.
    pub(super) fn take_load(&self, key: LoaderKey) {
        let mut state = self.session.state();
        let Some(load) = state.answered.remove(&key) else { return };
        let Some(Known { id: task, .. }) = self.running() else { return };
        let t = self.session.now();
        let (tasks, loads) = (Vec::new(), vec![load.id]);
        state.record(Recorded::Wait(TaskWaits { t, task, at: load.at, tasks, loads, any: false }));
        state.record(Recorded::Run(TaskRuns { t, task }));
    }

    /// Records a load. Returns its id, and its site.
    fn load(&self, source: Id, key: KeyAsked) -> (Id, Option<Id>) {
        let running = self.running();
        let KeyAsked { at, hash, text, how, of } = key;
        let mut state = self.session.state();
        let t = self.session.now();
        let id = state.recorder.next_id();
        let function = running.map_or(OUTSIDE, |running| running.function);
        let at = at.map(|at| state.site(function, at));
        let key = hash.map(|hash| state.recorder.key(source, hash));
        let task = running.map(|running| running.id);
        let thread = if task.is_some() { 0 } else { self.thread };
        state.record(Recorded::Load(KeyLoaded {
            t,
            id,
            task,
            at,
            source,
            key,
            text,
            how,
            of,
            thread,
        }));
        (id, at)
    }
}

fn small(depth: usize) -> u32 {
    u32::try_from(depth).unwrap_or(u32::MAX)
}

fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
