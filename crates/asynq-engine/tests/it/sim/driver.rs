//! The loop, and the answers to all steps but those that run a script or flush a source.

use std::collections::BTreeMap;

use asynq_engine::{BatchId, ContextId, Deadlock, Dependency, Engine, Host, Step, TaskId};

use super::program::{ContextRef, On, Outcome, Program, PromiseRef, TaskRef};
use super::record::Record;
use super::source::{Batch, Source};

/// Payloads are indices into the tables of the [`Driver`].
#[derive(Debug)]
pub(crate) struct Sim;

impl Host for Sim {
    type Task = usize;
    type Batch = usize;
    type Context = usize;
    type Priority = (i64, usize);
}

pub(crate) struct Driver {
    pub(crate) engine: Engine<Sim>,
    pub(crate) record: Record,
    pub(super) program: Program,
    pub(super) nodes: Vec<Node>,
    /// The nodes that stand for the tasks and promises of the program.
    named: BTreeMap<Named, usize>,
    pub(super) sources: Vec<Source>,
    pub(super) batches: Vec<Batch>,
    pub(super) contexts: Vec<Instance>,
    /// Things that will happen when the driver has to wait, by number, then by age.
    pub(super) outside: BTreeMap<(u32, usize), Outside>,
    pub(super) outsiders: usize,
    /// The tasks that made the calls under way.
    pub(super) callers: Vec<Option<TaskId>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    Task(TaskRef),
    Promise(PromiseRef),
}

/// A task or promise.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) id: TaskId,
    pub(super) script: Option<TaskRef>,
    /// The next op of the script.
    pub(super) position: usize,
    pub(super) sum: i64,
    pub(super) started: bool,
    pub(super) waiting: Vec<Awaited>,
    /// The dependencies that the engine was told of since the task was run.
    pub(super) depends_on: Vec<Dependency>,
    /// Something was computed already when the task named it.
    pub(super) has_some: bool,
    /// To be raised when it runs next.
    pub(super) error: Option<String>,
    pub(super) result: Option<Outcome>,
    /// The batch whose values come when this task has ended.
    pub(super) carries: Option<usize>,
}

/// The place where the value of something awaited will be found.
#[derive(Clone, Copy)]
pub(super) enum Awaited {
    Node(usize),
    Item { batch: usize, index: usize },
}

/// A context that was entered.
pub(super) struct Instance {
    pub(super) spec: ContextRef,
    pub(super) owner: usize,
    pub(super) id: ContextId,
    pub(super) active: bool,
    pub(super) left: bool,
    pub(super) pauses: usize,
    pub(super) resumes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    Lands(usize),
    Wakes(usize),
}

impl Driver {
    pub(crate) fn new(program: Program) -> Self {
        let sources = program.sources.iter().map(|_| Source::default()).collect();
        Self {
            engine: Engine::new(),
            record: Record::default(),
            program,
            nodes: Vec::new(),
            named: BTreeMap::new(),
            sources,
            batches: Vec::new(),
            contexts: Vec::new(),
            outside: BTreeMap::new(),
            outsiders: 0,
            callers: Vec::new(),
        }
    }

    /// Calls a task synchronously, from outside.
    pub(crate) fn call(&mut self, task: TaskRef) {
        let node = self.task(task);
        let outcome = self.drive(node);
        self.record.calls.push(outcome);
    }

    pub(crate) fn into_record(mut self) -> Record {
        self.record.tasks_left = self.engine.task_count();
        self.record.batches_left = self.engine.batch_count();
        self.record
    }

    pub(super) fn drive(&mut self, root: usize) -> Outcome {
        let before = self.engine.active_contexts().to_vec();
        let caller = self.engine.running();
        self.callers.push(caller);
        self.record.say(format!("call {}", self.nodes[root].name));
        self.engine.enter(self.nodes[root].id);
        self.record.depth = self.engine.depth();
        self.record.max_depth = self.record.max_depth.max(self.record.depth);
        let mut unfinished = "given up";
        loop {
            self.record.steps += 1;
            match self.engine.next() {
                Step::Run(task) => self.step(task),
                Step::Pause(context) => self.pause(context),
                Step::Resume(context) => self.resume(context),
                Step::Priority(batch) => self.priority(batch),
                Step::Flush(batch) => self.flush(batch),
                Step::Wait => {
                    self.assert_only(&before);
                    self.wait();
                }
                Step::Done => break,
                Step::Deadlock(report) => {
                    self.deadlock(&report);
                    unfinished = "deadlock";
                }
            }
        }
        self.assert_only(&before);
        let is_active = |context| self.engine.active_contexts().contains(context);
        for context in &before {
            let instance = self.engine.context(*context).map(|&instance| &self.contexts[instance]);
            assert!(is_active(context) || instance.is_none_or(|instance| instance.left));
        }
        self.engine.exit();
        self.callers.pop();
        if let Some(caller) = caller.filter(|&caller| self.engine.task(caller).is_none()) {
            self.leave_contexts_of(caller);
        }
        self.record.depth = self.engine.depth();
        self.nodes[root].result.clone().unwrap_or_else(|| Err(unfinished.into()))
    }

    /// The contexts of the caller may be active, and no others.
    fn assert_only(&self, callers: &[ContextId]) {
        let active = self.engine.active_contexts();
        assert!(
            active.iter().all(|context| callers.contains(context)),
            "{:?} are active",
            self.active()
        );
    }

    fn deadlock(&mut self, report: &Deadlock) {
        let waits: Vec<_> = report
            .waits
            .iter()
            .map(|(task, on)| {
                let on: Vec<_> = on.iter().map(|&on| self.name_of(on)).collect();
                format!("{} waits for [{}]", self.name(*task), on.join(", "))
            })
            .collect();
        let victims: Vec<_> = report.victims.iter().map(|&task| self.name(task)).collect();
        self.record.say(format!("deadlock: {}; fails: [{}]", waits.join(", "), victims.join(", ")));
        for &victim in &report.victims {
            self.interrupt(victim, "deadlock".into());
        }
        if report.victims.is_empty() {
            self.engine.abandon();
        }
    }

    fn wait(&mut self) {
        let (_, event) =
            self.outside.pop_first().expect("the engine waits only for what can happen");
        self.record.say("wait");
        match event {
            Outside::Lands(batch) => self.land(batch, None),
            Outside::Wakes(node) => self.engine.wake(self.nodes[node].id),
        }
    }

    pub(super) fn happens_later(&mut self, order: u32, event: Outside) {
        self.outsiders += 1;
        self.outside.insert((order, self.outsiders), event);
    }

    /// Has an error raised in a task when it runs next.
    fn interrupt(&mut self, task: TaskId, error: String) {
        let node = *self.engine.task(task).expect("it has not ended");
        self.nodes[node].error.get_or_insert(error);
    }
}

/// Contexts.
impl Driver {
    fn pause(&mut self, context: ContextId) {
        let instance = *self.engine.context(context).expect("it is being paused");
        if let Err(error) = self.pause_instance(instance) {
            self.fail_context(instance, error);
        }
    }

    fn resume(&mut self, context: ContextId) {
        let instance = *self.engine.context(context).expect("it is being resumed");
        if let Err(error) = self.resume_instance(instance) {
            self.fail_context(instance, error);
        }
    }

    fn fail_context(&mut self, instance: usize, error: String) {
        self.contexts[instance].left = true;
        let owner = self.engine.fail_context(self.contexts[instance].id);
        // Not one that was cancelled while it was suspended in a call.
        if let Some(owner) = owner.filter(|&owner| self.engine.task(owner).is_some()) {
            self.interrupt(owner, error);
        }
    }

    /// Pauses and resumes what it takes to be in `scope`.
    pub(super) fn switch_to(&mut self, scope: Option<ContextId>) {
        while let Some(step) = self.engine.switch_to(scope) {
            match step {
                Step::Pause(context) => self.pause(context),
                Step::Resume(context) => self.resume(context),
                _ => unreachable!("a switch pauses and resumes"),
            }
        }
    }

    pub(super) fn leave_contexts_of(&mut self, owner: TaskId) {
        for context in &mut self.contexts {
            context.left |= self.nodes[context.owner].id == owner;
        }
    }

    pub(super) fn pause_instance(&mut self, instance: usize) -> Result<(), String> {
        let context = &mut self.contexts[instance];
        assert!(context.active, "paused twice");
        context.active = false;
        context.pauses += 1;
        let spec = &self.program.contexts[context.spec.0];
        if spec.failing_pause == Some(context.pauses) {
            self.record.say(format!("{} fails to pause", spec.name));
            return Err(format!("{} did not pause", spec.name));
        }
        self.record.say(format!("{} pauses", spec.name));
        Ok(())
    }

    pub(super) fn resume_instance(&mut self, instance: usize) -> Result<(), String> {
        let context = &mut self.contexts[instance];
        assert!(!context.active, "resumed twice");
        context.active = true;
        context.resumes += 1;
        let spec = &self.program.contexts[context.spec.0];
        if spec.failing_resume == Some(context.resumes) {
            self.record.say(format!("{} fails to resume", spec.name));
            return Err(format!("{} did not resume", spec.name));
        }
        self.record.say(format!("{} resumes", spec.name));
        Ok(())
    }

    /// The names of the active contexts, the outermost first.
    pub(super) fn active(&self) -> Vec<String> {
        let name = |&context: &ContextId| {
            let instance = *self.engine.context(context).expect("it is active");
            let spec = self.contexts[instance].spec;
            self.program.contexts[spec.0].name.clone()
        };
        self.engine.active_contexts().iter().map(name).collect()
    }
}

/// The nodes and their names.
impl Driver {
    pub(super) fn task(&mut self, task: TaskRef) -> usize {
        if let Some(&node) = self.named.get(&Named::Task(task)) {
            return node;
        }
        let node = self.add_task(self.program.tasks[task.0].name.clone(), task);
        self.named.insert(Named::Task(task), node);
        node
    }

    pub(super) fn promise(&mut self, promise: PromiseRef) -> usize {
        if let Some(&node) = self.named.get(&Named::Promise(promise)) {
            return node;
        }
        let id = self.engine.add_promise(self.nodes.len());
        let node = self.add_node(self.program.promises[promise.0].clone(), id, None);
        self.named.insert(Named::Promise(promise), node);
        node
    }

    pub(super) fn add_task(&mut self, name: String, script: TaskRef) -> usize {
        let id = self.engine.add_task(self.nodes.len());
        self.add_node(name, id, Some(script))
    }

    fn add_node(&mut self, name: String, id: TaskId, script: Option<TaskRef>) -> usize {
        self.nodes.push(Node {
            name,
            id,
            script,
            position: 0,
            sum: 0,
            started: false,
            waiting: Vec::new(),
            depends_on: Vec::new(),
            has_some: false,
            error: None,
            result: None,
            carries: None,
        });
        self.nodes.len() - 1
    }

    pub(crate) fn name(&self, task: TaskId) -> String {
        let node = *self.engine.task(task).expect("it has not ended");
        self.nodes[node].name.clone()
    }

    pub(crate) fn name_of(&self, on: Dependency) -> String {
        match on {
            Dependency::Task(task) => self.name(task),
            Dependency::Item(item) => {
                let batch = self.batch(item.batch);
                let Batch { name, keys, .. } = &self.batches[batch];
                format!("{name}({})", keys[item.index as usize])
            }
        }
    }

    pub(super) fn batch(&self, batch: BatchId) -> usize {
        *self.engine.batch(batch).expect("it is not closed")
    }

    /// The place to find the value of `on`, and what to wait for. Makes the item.
    pub(super) fn resolve(&mut self, on: On) -> (Awaited, Dependency) {
        let node = match on {
            On::Task(task) => self.task(task),
            On::Promise(promise) => self.promise(promise),
            On::Item(source, key) => return self.new_item(source, key),
        };
        (Awaited::Node(node), self.nodes[node].id.into())
    }

    pub(super) fn result_of(&self, awaited: Awaited) -> Option<&Outcome> {
        match awaited {
            Awaited::Node(node) => self.nodes[node].result.as_ref(),
            Awaited::Item { batch, index } => self.batches[batch].values[index].as_ref(),
        }
    }
}
