//! Recordings that are written by hand.

use asynq_explain::{
    BatchAnswered, BatchSent, CallBegins, CallEnds, Event, Explanation, Flow, How, Id, KeyLoaded,
    Recording, TaskCreated, TaskEnds, TaskRuns, TaskWaits,
};

use crate::recorder::Recorder;

/// Writes a recording step by step. Each step takes a microsecond.
#[derive(Default)]
pub(crate) struct Script {
    recorder: Recorder,
    flows: Vec<Flow>,
    t: u64,
    sites: Vec<(String, u32, Id)>,
    sources: Vec<(String, Id)>,
    depth: u32,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn now(&mut self) -> u64 {
        self.t += 1000;
        self.t
    }

    /// Returns a key that nothing else has.
    pub(crate) fn new_key(&mut self) -> u64 {
        self.now()
    }

    /// Returns the site of a line of a function.
    pub(crate) fn site(&mut self, function: &str, line: u32) -> Id {
        let known = self.sites.iter().find(|(name, at, _)| name == function && *at == line);
        if let Some(&(_, _, id)) = known {
            return id;
        }
        let id = self.recorder.add_site(function, line);
        self.sites.push((function.to_owned(), line, id));
        id
    }

    pub(crate) fn source(&mut self, name: &str) -> Id {
        if let Some(&(_, id)) = self.sources.iter().find(|(known, _)| known == name) {
            return id;
        }
        let id = self.recorder.add_source(name);
        self.sources.push((name.to_owned(), id));
        id
    }

    /// Says what a statement needs.
    pub(crate) fn flow(&mut self, line: u32, needs: &[u32]) {
        let (file, needs) = ("page.py".to_owned(), needs.to_vec());
        self.flows.push(Flow { file, line, end: line, needs, ..Flow::default() });
    }

    /// Says what a statement in a loop needs.
    pub(crate) fn flow_in_loop(&mut self, line: u32, in_loop: u32, carried: bool) {
        let (file, in_loop) = ("page.py".to_owned(), Some(in_loop));
        self.flows.push(Flow { file, line, end: line, in_loop, carried, ..Flow::default() });
    }

    /// Says that a statement needs nothing, of a function that is defined at a line and may be plain.
    pub(crate) fn flow_in_body(&mut self, line: u32, body: u32, plain: bool) {
        let (file, body) = ("page.py".to_owned(), Some(body));
        self.flows.push(Flow { file, line, end: line, body, plain, ..Flow::default() });
    }

    /// A task of a function that is defined at a line begins, called by another one at a line.
    pub(crate) fn task(&mut self, function: &str, line: u32, by: Option<(Id, Id)>) -> Id {
        let (t, id, site) = (self.now(), self.recorder.next_id(), self.site(function, line));
        let (by, at) = by.unzip();
        let created = TaskCreated { t, id, thread: 1, site, by, at, ..TaskCreated::default() };
        self.recorder.record(Event::Task(created));
        self.run(id);
        id
    }

    /// The flush of a batch goes on as a task.
    pub(crate) fn flush_task(&mut self, function: &str, line: u32, batch: Id) -> Id {
        let (t, id, site) = (self.now(), self.recorder.next_id(), self.site(function, line));
        let flush = Some(batch);
        let created = TaskCreated { t, id, thread: 1, site, flush, ..TaskCreated::default() };
        self.recorder.record(Event::Task(created));
        self.run(id);
        id
    }

    pub(crate) fn run(&mut self, task: Id) {
        let t = self.now();
        self.recorder.record(Event::Run(TaskRuns { t, task }));
    }

    pub(crate) fn load(&mut self, task: Option<Id>, at: Option<Id>, source: &str, key: u64) -> Id {
        self.load_as(task, at, source, key, How::New)
    }

    pub(crate) fn load_as(
        &mut self,
        task: Option<Id>,
        at: Option<Id>,
        source: &str,
        key: u64,
        how: How,
    ) -> Id {
        let (t, id, source) = (self.now(), self.recorder.next_id(), self.source(source));
        let key = Some(self.recorder.key(source, key));
        let load =
            KeyLoaded { t, id, task, at, source, key, how, thread: 1, ..KeyLoaded::default() };
        self.recorder.record(Event::Load(load));
        id
    }

    pub(crate) fn wait(&mut self, task: Id, at: Id, tasks: &[Id], loads: &[Id]) {
        let t = self.now();
        let (at, tasks, loads) = (Some(at), tasks.to_vec(), loads.to_vec());
        self.recorder.record(Event::Wait(TaskWaits { t, task, at, tasks, loads, any: false }));
    }

    pub(crate) fn flush(&mut self, source: &str, loads: &[Id]) -> Id {
        let (t, batch, source) = (self.now(), self.recorder.next_id(), self.source(source));
        let keys = u64::try_from(loads.len()).unwrap();
        let loads = loads.to_vec();
        let sent = BatchSent { t, batch, thread: 1, source, loads, keys, ..BatchSent::default() };
        self.recorder.record(Event::Flush(sent));
        batch
    }

    pub(crate) fn answer(&mut self, batch: Id) {
        let t = self.now();
        self.recorder.record(Event::Answer(BatchAnswered { t, batch, ..BatchAnswered::default() }));
    }

    /// A request that is answered at once.
    pub(crate) fn request(&mut self, source: &str, loads: &[Id]) {
        let batch = self.flush(source, loads);
        self.answer(batch);
    }

    pub(crate) fn end(&mut self, task: Id) {
        let t = self.now();
        self.recorder.record(Event::End(TaskEnds { t, task, error: None }));
    }

    /// A task calls a function synchronously. Returns the task of the call.
    pub(crate) fn call(&mut self, function: &str, line: u32, by: Option<(Id, Id)>) -> Id {
        let t = self.now();
        self.depth += 1;
        // The id that the task will get.
        let root = self.recorder.next_id() + 1;
        let (task, at) = by.unzip();
        let depth = self.depth;
        let begins = CallBegins { t, thread: 1, root: Some(root), task, at, depth };
        self.recorder.record(Event::Call(begins));
        assert_eq!(self.task(function, line, by), root);
        root
    }

    /// The innermost call returns.
    pub(crate) fn returns(&mut self) {
        let t = self.now();
        self.depth -= 1;
        self.recorder.record(Event::Return(CallEnds { t, thread: 1, depth: self.depth }));
    }

    pub(crate) fn recording(&self) -> Recording {
        self.recorder.recording(self.flows.clone())
    }

    pub(crate) fn explain(&self) -> Explanation {
        Explanation::of(&self.recording())
    }
}

/// Returns the rounds of the batches, in order.
pub(crate) fn rounds(explanation: &Explanation) -> Vec<u32> {
    explanation.batches.iter().map(|batch| batch.round).collect()
}
