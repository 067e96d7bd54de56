//! Events of a recording, as objects that refer to each other by index.

use std::collections::HashMap;

use crate::event::{BatchSent, Event, How, Id, KeyLoaded, Reason, TaskCreated, TaskWaits, Time};
use crate::recording::Recording;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Id of the batch.
    pub id: Id,
    /// Its round, from 1.
    pub round: u32,
    /// Id of its source.
    pub source: Id,
    /// Number of the scheduler that sent it.
    pub thread: u32,
    /// Time at which it was sent.
    pub start: Time,
    /// Time at which it was answered; `None` if the recording ends before.
    pub end: Option<Time>,
    /// Number of its keys.
    pub keys: u64,
    /// Indexes of the loads that it carries, with those that share them.
    pub loads: Vec<usize>,
    /// Reason why it was sent then.
    pub reason: Reason,
    /// Its priority, as text.
    pub priority: Option<String>,
    /// Depth of the synchronous call that drove it.
    pub call: Option<u32>,
    /// Number of keys with an error.
    pub failed: u64,
    /// Error of the whole request.
    pub error: Option<String>,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Task {
    /// Id of the task.
    pub id: Id,
    /// Site of the definition of its function.
    pub site: Id,
    /// Index of the task that created it.
    pub parent: Option<usize>,
    /// Site of the call that created it.
    pub at: Option<Id>,
    /// Number of its scheduler.
    pub thread: u32,
    /// Time of its first request.
    pub start: Time,
    /// Time of its end; `None` if the recording ends before.
    pub end: Option<Time>,
    /// Its error, in one line.
    pub error: Option<String>,
    /// Index of the task that calls it synchronously.
    pub called_by: Option<usize>,
    /// Names of the contexts that it has inherited or entered.
    pub contexts: Vec<String>,
    /// Its waits, in order.
    pub waits: Vec<Wait>,
    /// Index of the batch whose flush the task is.
    pub flush: Option<usize>,
}

/// A wait of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// Site of the await.
    pub at: Option<Id>,
    /// Beginning of the wait.
    pub start: Time,
    /// Time at which the task went on.
    pub end: Option<Time>,
    /// Indexes of the tasks that it waits for.
    pub tasks: Vec<usize>,
    /// Indexes of the loads that it waits for.
    pub loads: Vec<usize>,
}

/// A load of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Id of the load.
    pub id: Id,
    /// Time at which it was asked for.
    pub time: Time,
    /// Index of the task that asked.
    pub task: Option<usize>,
    /// Site at which it asked.
    pub at: Option<Id>,
    /// Id of its source.
    pub source: Id,
    /// Number of the key.
    pub key: Option<Id>,
    /// Text of the key.
    pub text: Option<String>,
    /// Origin of the value.
    pub how: How,
    /// Index of the load whose value it shares.
    pub of: Option<usize>,
    /// Index of the batch that it goes out with.
    pub batch: Option<usize>,
    /// Number of the scheduler.
    pub thread: u32,
}

/// A synchronous call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) root: Option<usize>,
    /// Index of the task that calls.
    pub(crate) task: Option<usize>,
    /// Site of the call.
    pub(crate) at: Option<Id>,
}

/// A step of the program; objects as indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create { task: usize },
    Run { task: usize },
    Wait { task: usize, wait: usize },
    End { task: usize },
    Load { load: usize },
    Flush { batch: usize },
    Answer { batch: usize },
    Return { call: usize },
}

/// Objects of a recording, and the steps in which they took part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    pub(crate) tasks: Vec<Task>,
    pub(crate) loads: Vec<Load>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) calls: Vec<Call>,
    pub(crate) steps: Vec<Step>,
}

/// Indexes of the objects, by their ids, while the events are read.
#[derive(Default)]
struct Indexes {
    tasks: HashMap<Id, usize>,
    loads: HashMap<Id, usize>,
    batches: HashMap<Id, usize>,
    /// Index of the wait of each task that waits.
    waiting: HashMap<usize, usize>,
    /// Calls in progress on each thread, the innermost last.
    calls: HashMap<u32, Vec<usize>>,
    /// Flush tasks, and the ids of their batches, which may be sent later.
    flushes: Vec<(usize, Id)>,
}

impl Timeline {
    /// Reads the events of a recording. What is known of objects whose beginning was dropped is kept.
    pub(crate) fn of(recording: &Recording) -> Self {
        let (mut timeline, mut indexes) = (Self::default(), Indexes::default());
        for event in &recording.events {
            timeline.add(event, &mut indexes);
        }
        for (task, batch) in indexes.flushes {
            timeline.tasks[task].flush = indexes.batches.get(&batch).copied();
        }
        for index in 0..timeline.loads.len() {
            let shared = timeline.loads[index].of;
            if let Some(batch) = shared.and_then(|shared| timeline.loads[shared].batch) {
                timeline.loads[index].batch = Some(batch);
                timeline.batches[batch].loads.push(index);
            }
        }
        timeline
    }

    /// Gives what plain functions have asked for the sites that `asked_at` returns for theirs and for those of the
    /// awaits.
    pub(crate) fn leave_plain_functions(&mut self, asked_at: impl Fn(Id, Id) -> Id) {
        let mut known = HashMap::new();
        let mut change = |at: &mut Option<Id>, awaited: Id| {
            if let Some(at) = at {
                *at = *known.entry((*at, awaited)).or_insert_with(|| asked_at(*at, awaited));
            }
        };
        for task in 0..self.tasks.len() {
            for wait in std::mem::take(&mut self.tasks[task].waits) {
                if let Some(awaited) = wait.at {
                    for &load in &wait.loads {
                        if self.loads[load].task == Some(task) {
                            change(&mut self.loads[load].at, awaited);
                        }
                    }
                    for &other in &wait.tasks {
                        if self.tasks[other].parent == Some(task) {
                            change(&mut self.tasks[other].at, awaited);
                        }
                    }
                }
                self.tasks[task].waits.push(wait);
            }
        }
    }

    fn add(&mut self, event: &Event, indexes: &mut Indexes) {
        match event {
            Event::Task(created) => self.add_task(created, indexes),
            Event::Run(run) => {
                let task = self.task(indexes, run.task);
                if let Some(wait) = indexes.waiting.remove(&task) {
                    self.tasks[task].waits[wait].end = Some(run.t);
                }
                self.steps.push(Step::Run { task });
            }
            Event::Wait(waits) => self.add_wait(waits, indexes),
            Event::End(end) => {
                let task = self.task(indexes, end.task);
                self.tasks[task].end = Some(end.t);
                self.tasks[task].error.clone_from(&end.error);
                self.steps.push(Step::End { task });
            }
            Event::Load(load) => self.add_load(load, indexes),
            Event::Flush(sent) => self.add_batch(sent, indexes),
            Event::Answer(answer) => {
                let Some(&batch) = indexes.batches.get(&answer.batch) else { return };
                let node = &mut self.batches[batch];
                node.end = Some(answer.t);
                node.failed = answer.failed;
                node.error.clone_from(&answer.error);
                self.steps.push(Step::Answer { batch });
            }
            Event::Call(begins) => {
                let task = begins.task.map(|task| self.task(indexes, task));
                let root = begins.root.map(|root| self.task(indexes, root));
                if let Some(root) = root {
                    self.tasks[root].called_by = task;
                }
                let calls = indexes.calls.entry(begins.thread).or_default();
                calls.truncate(depth(begins.depth.saturating_sub(1)));
                calls.push(self.calls.len());
                self.calls.push(Call { thread: begins.thread, root, task, at: begins.at });
            }
            Event::Return(ends) => {
                let calls = indexes.calls.entry(ends.thread).or_default();
                while calls.len() > depth(ends.depth) {
                    let call = calls.pop().unwrap_or_default();
                    self.steps.push(Step::Return { call });
                }
            }
            Event::Enter(change) => {
                let task = self.task(indexes, change.task);
                let contexts = &mut self.tasks[task].contexts;
                if !contexts.contains(&change.context) {
                    contexts.push(change.context.clone());
                }
            }
            Event::Leave(_) => {}
        }
    }

    fn add_task(&mut self, created: &TaskCreated, indexes: &mut Indexes) {
        // A creator that was dropped is not known.
        let parent = created.by.and_then(|by| indexes.tasks.get(&by).copied());
        let task = self.task(indexes, created.id);
        let node = &mut self.tasks[task];
        node.site = created.site;
        node.thread = created.thread;
        node.start = created.t;
        node.at = created.at;
        node.parent = parent.filter(|&parent| parent != task);
        node.contexts.clone_from(&created.contexts);
        indexes.flushes.extend(created.flush.map(|batch| (task, batch)));
        self.steps.push(Step::Create { task });
    }

    fn add_wait(&mut self, waits: &TaskWaits, indexes: &mut Indexes) {
        let task = self.task(indexes, waits.task);
        let tasks = waits.tasks.iter().map(|&id| self.task(indexes, id)).collect();
        let loads = waits.loads.iter().filter_map(|id| indexes.loads.get(id).copied()).collect();
        let wait = self.tasks[task].waits.len();
        self.tasks[task].waits.push(Wait { at: waits.at, start: waits.t, end: None, tasks, loads });
        indexes.waiting.insert(task, wait);
        self.steps.push(Step::Wait { task, wait });
    }

    fn add_load(&mut self, load: &KeyLoaded, indexes: &mut Indexes) {
        let task = load.task.map(|task| self.task(indexes, task));
        let of = load.of.and_then(|of| indexes.loads.get(&of).copied());
        let index = self.loads.len();
        self.loads.push(Load {
            id: load.id,
            time: load.t,
            task,
            at: load.at,
            source: load.source,
            key: load.key,
            text: load.text.clone(),
            how: load.how,
            // A load that shares one which shares is possible, and as good as one of the first.
            of: of.map(|of| self.loads[of].of.unwrap_or(of)),
            batch: None,
            thread: task.map_or(load.thread, |task| self.tasks[task].thread),
        });
        indexes.loads.insert(load.id, index);
        self.steps.push(Step::Load { load: index });
    }

    fn add_batch(&mut self, sent: &BatchSent, indexes: &mut Indexes) {
        let batch = self.batches.len();
        let loads = sent.loads.iter().filter_map(|id| indexes.loads.get(id).copied());
        let loads: Vec<_> = loads.collect();
        for &load in &loads {
            self.loads[load].batch = Some(batch);
        }
        self.batches.push(Batch {
            id: sent.batch,
            round: 0,
            source: sent.source,
            thread: sent.thread,
            start: sent.t,
            end: None,
            keys: sent.keys,
            loads,
            reason: sent.reason,
            priority: sent.priority.clone(),
            call: sent.call,
            failed: 0,
            error: None,
        });
        indexes.batches.insert(sent.batch, batch);
        self.steps.push(Step::Flush { batch });
    }

    /// Returns the index of a task, which is a new one if its creation was dropped.
    fn task(&mut self, indexes: &mut Indexes, id: Id) -> usize {
        *indexes.tasks.entry(id).or_insert_with(|| {
            self.tasks.push(Task { id, ..Task::default() });
            self.tasks.len() - 1
        })
    }
}

fn depth(depth: u32) -> usize {
    usize::try_from(depth).unwrap_or(usize::MAX)
}
