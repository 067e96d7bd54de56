//! The shadow of the engine: everything that was done to it, and its immediate effects.

use std::collections::{BTreeMap, BTreeSet};

use asynq_engine::{BatchId, ContextId, Dependency, Engine, Host, ItemId, TaskId, Until};

use super::need::Need;

/// Payloads are indices into the tables of the [`World`].
pub(super) struct Toy;

impl Host for Toy {
    type Task = usize;
    type Batch = usize;
    type Context = usize;
    type Priority = (i64, usize);
}

pub(super) struct World {
    pub(super) engine: Engine<Toy>,
    pub(super) tasks: Vec<Task>,
    pub(super) batches: Vec<Batch>,
    pub(super) items: Vec<Item>,
    /// The place of a task or item in its table.
    pub(super) places: BTreeMap<Dependency, usize>,
    pub(super) contexts: Vec<Context>,
    /// The calls under way, the outermost first.
    pub(super) calls: Vec<Call>,
    /// The active contexts, the outermost first.
    pub(super) active: Vec<usize>,
    /// The context that was paused or resumed last.
    pub(super) switched: Option<usize>,
}

pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) state: State,
    /// Its dependencies since it was run.
    pub(super) asked: Vec<Dependency>,
    /// The scopes in which it has named them.
    pub(super) asked_in: Vec<Option<usize>>,
    /// It may go on although what it waits for is not there.
    pub(super) set_going: bool,
    /// The innermost context it is in.
    pub(super) scope: Option<usize>,
    /// The context it was in when it began.
    pub(super) inherited: Option<usize>,
    /// The scopes of all who have waited for it.
    pub(super) waiting_scopes: Vec<Option<usize>>,
    /// A task depends on it or a call needs it, which decided under which contexts it runs.
    pub(super) is_adopted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Running,
    Blocked(Until),
    Promise,
    Ended,
}

pub(super) struct Batch {
    pub(super) id: BatchId,
    pub(super) stage: Stage,
    /// The scopes of all who asked for an item, or waited for one. When the flush begins, its own scope
    /// replaces them; those of who waits during the flush follow.
    pub(super) waiting_scopes: Vec<Option<usize>>,
    pub(super) is_limited_to_call: bool,
    /// Code of no task has asked for an item, outside of contexts.
    pub(super) asked_outside: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    Flushing,
    InFlight(Option<usize>),
    Closed,
}

pub(super) struct Item {
    pub(super) id: ItemId,
    pub(super) batch: usize,
    pub(super) computed: bool,
}

pub(super) struct Context {
    pub(super) id: ContextId,
    pub(super) owner: usize,
    pub(super) parent: Option<usize>,
    pub(super) left: bool,
    pub(super) is_kept_out: bool,
}

pub(super) struct Call {
    pub(super) root: usize,
    /// The scope in which the call was made.
    pub(super) made_in: Option<usize>,
    pub(super) running: Option<usize>,
    /// The batch whose flush is to be answered.
    pub(super) flushing: Option<usize>,
    /// Everything it has needed up to now.
    pub(super) needs: BTreeSet<Need>,
    /// The innermost context that was active when the call was made.
    pub(super) callers: Option<usize>,
    pub(super) abandoned: bool,
    pub(super) done: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let mut engine = Engine::new();
        engine.listen(true);
        Self {
            engine,
            tasks: Vec::new(),
            batches: Vec::new(),
            items: Vec::new(),
            places: BTreeMap::new(),
            contexts: Vec::new(),
            calls: Vec::new(),
            active: Vec::new(),
            switched: None,
        }
    }

    pub(super) fn running(&self) -> Option<usize> {
        self.calls.last()?.running
    }

    /// The scope of the code that runs: of a task, or of a chosen flush, or else what is active.
    pub(super) fn code_scope(&self) -> Option<usize> {
        match self.running() {
            Some(task) if self.tasks[task].state != State::Ended => self.tasks[task].scope,
            _ => self.chosen_scope().or(self.active.last().copied()),
        }
    }

    fn chosen_scope(&self) -> Option<usize> {
        let Batch { stage, waiting_scopes, .. } = &self.batches[self.calls.last()?.flushing?];
        if *stage == Stage::Flushing { waiting_scopes[0] } else { None }
    }

    pub(super) fn is_computed(&self, on: Dependency) -> bool {
        let place = self.places[&on];
        match on {
            Dependency::Task(_) => self.tasks[place].state == State::Ended,
            Dependency::Item(_) => self.items[place].computed,
        }
    }

    /// Returns whether a task waits no longer.
    pub(super) fn may_go_on(&self, task: usize) -> bool {
        let Task { state, asked, set_going, .. } = &self.tasks[task];
        let is_there = |&on: &Dependency| self.is_computed(on);
        match state {
            State::Blocked(_) if *set_going => true,
            State::Blocked(Until::All) => !asked.is_empty() && asked.iter().all(is_there),
            State::Blocked(_) => asked.iter().any(is_there),
            _ => false,
        }
    }

    /// The contexts around `scope`, the outermost first.
    pub(super) fn path(&self, mut scope: Option<usize>) -> Vec<usize> {
        let mut path = Vec::new();
        while let Some(context) = scope {
            path.insert(0, context);
            scope = self.contexts[context].parent;
        }
        path
    }

    /// The contexts around `scope` that were not left, the outermost first.
    pub(super) fn chain(&self, scope: Option<usize>) -> Vec<usize> {
        let mut chain = self.path(scope);
        chain.retain(|&context| !self.contexts[context].left);
        chain
    }
}
