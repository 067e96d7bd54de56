//! The contract of the engine, written down a second time in the most obvious way.
//!
//! The model interprets a [`Program`] by itself and shares no code with the engine or its driver.
//! It is slow on purpose: it keeps no counts, links, sorted batches or frame ids, but looks at
//! everything again whenever it wants to know something, and a call is a recursive call. What it
//! tells is compared line by line with what the simulated driver tells of the engine.
//!
//! The contract (see the crate documentation) leaves some choices open; both make these:
//! - A call needs its root, and everything that a task it needs has awaited while the call lasted,
//!   even if that task has gone on without it since.
//! - Ready tasks stand in a row. A task that is awaited goes to its front, also if it was ready
//!   already; woken tasks go to the front, longest wait first; tasks that were woken with an error,
//!   or from outside, go to the back.
//! - The tasks that a call leaves behind belong to the call around it, and stand before those that
//!   are ready there.
//! - A context that was left by the end of its task stays active until what stands above it in the
//!   stack is paused.

mod call;
mod context;
mod deadlock;
mod need;
mod script;
mod source;
mod waiting;

use std::collections::BTreeMap;

use crate::sim::{ContextRef, Join, Outcome, Program, PromiseRef, Ran, SourceRef, TaskRef};

/// Everything a run of the model has shown; each field as in [`Record`](crate::sim::Record).
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) log: String,
    pub(crate) calls: Vec<Outcome>,
    pub(crate) results: BTreeMap<String, Outcome>,
    pub(crate) flushes: Vec<(String, Vec<i64>)>,
    pub(crate) ran: Vec<Ran>,
    pub(crate) max_depth: usize,
    pub(crate) tasks_left: usize,
    pub(crate) batches_left: usize,
    /// Maximum number of flushes in flight at once.
    pub(crate) max_in_flight: usize,
}

struct Model<'a> {
    program: &'a Program,
    told: Told,
    tasks: Vec<Task>,
    batches: Vec<Batch>,
    contexts: Vec<Context>,
    /// The calls under way, the outermost first.
    calls: Vec<Call>,
    /// Ready tasks that no call needs.
    idle: Vec<usize>,
    /// The active contexts, the outermost first.
    active: Vec<usize>,
    /// Things that will happen while the driver waits, in the order in which they were arranged.
    outside: Vec<(u32, Outside)>,
    /// Number of waits that have begun.
    waits: usize,
    /// Number of times that each source was asked for a priority.
    asked: Vec<usize>,
}

/// A task, or a promise if it has no script.
struct Task {
    name: String,
    of: Of,
    state: State,
    started: bool,
    position: usize,
    sum: i64,
    waiting: Vec<On>,
    /// The things it has named since it was run that were not computed then.
    depends_on: Vec<On>,
    /// Something was computed already when it was named.
    has_some: bool,
    error: Option<String>,
    /// The innermost context it has entered, else the one it was first awaited in.
    scope: Option<usize>,
    /// The context it was first awaited in.
    inherited: Option<usize>,
    /// The scopes of all who have waited for it.
    waiting_scopes: Vec<Option<usize>>,
    /// The things it has named since it was run, each with its scope then.
    named: Vec<(On, Option<usize>)>,
    /// The batch whose values come with its end.
    carries: Option<usize>,
}

/// The part of the program that a task stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Task(TaskRef),
    Promise(PromiseRef),
    /// An instance of its own for one flush.
    Helper(TaskRef),
}

enum State {
    New {
        /// A task has named it, and so decided under which contexts it runs.
        is_adopted: bool,
    },
    Ready,
    Running {
        /// It was woken meanwhile, and will not wait.
        woken: bool,
    },
    Blocked {
        on: Vec<On>,
        join: Join,
        wait_id: usize,
    },
    Woken {
        wait_id: usize,
    },
    Promised,
    Ended(Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Task(usize),
    Item(usize, usize),
}

struct Batch {
    name: String,
    source: SourceRef,
    keys: Vec<i64>,
    values: Vec<Option<Outcome>>,
    state: Stage,
    /// The scopes of all who asked for an item, or waited for one, before the flush.
    waiting_scopes: Vec<Option<usize>>,
    /// The scope of the flush.
    flush_scope: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Flushing,
    /// Sent; its values come with the end of a task, or else from outside.
    InFlight(Option<usize>),
    Closed,
}

struct Context {
    spec: ContextRef,
    owner: usize,
    parent: Option<usize>,
    left: bool,
    pauses: usize,
    resumes: usize,
}

struct Call {
    root: usize,
    /// The scope in which the call was made.
    made_in: Option<usize>,
    running: Option<usize>,
    ready: Vec<usize>,
    needs: Vec<Need>,
    /// The innermost context that was active when the call was made.
    callers: Option<usize>,
    /// The flush in it, which is out of turn if a task runs.
    flush: Option<Flush>,
    given_up: bool,
}

/// A flush that holds the thread.
struct Flush {
    scope: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Task(usize),
    Batch(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Lands(usize),
    Wakes(usize),
}

/// Calls `roots` one after the other.
pub(crate) fn run(program: &Program, roots: &[TaskRef]) -> Told {
    let mut model = Model {
        program,
        told: Told::default(),
        tasks: Vec::new(),
        batches: Vec::new(),
        contexts: Vec::new(),
        calls: Vec::new(),
        idle: Vec::new(),
        active: Vec::new(),
        outside: Vec::new(),
        waits: 0,
        asked: vec![0; program.sources.len()],
    };
    for &root in roots {
        let root = model.find(Of::Task(root));
        let outcome = model.call(root);
        model.told.calls.push(outcome);
    }
    let ended = |task: &&Task| matches!(task.state, State::Ended(_));
    model.told.tasks_left = model.tasks.len() - model.tasks.iter().filter(ended).count();
    model.told.batches_left =
        model.batches.iter().filter(|batch| batch.state != Stage::Closed).count();
    model.told
}

impl Model<'_> {
    fn say(&mut self, line: &str) {
        let indent = 2 * self.calls.len().saturating_sub(1);
        self.told.log.extend([" ".repeat(indent).as_str(), line, "\n"]);
    }

    /// The one task that stands for `of`; makes it when it is first mentioned.
    fn find(&mut self, of: Of) -> usize {
        if let Some(task) = self.tasks.iter().position(|task| task.of == of) {
            return task;
        }
        let name = match of {
            Of::Promise(promise) => &self.program.promises[promise.0],
            Of::Task(task) | Of::Helper(task) => &self.program.tasks[task.0].name,
        };
        self.add(of, name.clone())
    }

    fn add(&mut self, of: Of, name: String) -> usize {
        let state = match of {
            Of::Promise(_) => State::Promised,
            Of::Task(_) | Of::Helper(_) => State::New { is_adopted: false },
        };
        self.tasks.push(Task {
            name,
            of,
            state,
            started: false,
            position: 0,
            sum: 0,
            waiting: Vec::new(),
            depends_on: Vec::new(),
            has_some: false,
            error: None,
            scope: None,
            inherited: None,
            waiting_scopes: Vec::new(),
            named: Vec::new(),
            carries: None,
        });
        self.tasks.len() - 1
    }

    fn name(&self, on: On) -> String {
        match on {
            On::Task(task) => self.tasks[task].name.clone(),
            On::Item(batch, index) => {
                format!("{}({})", self.batches[batch].name, self.batches[batch].keys[index])
            }
        }
    }

    fn outcome(&self, on: On) -> Option<&Outcome> {
        match on {
            On::Task(task) => match &self.tasks[task].state {
                State::Ended(outcome) => Some(outcome),
                _ => None,
            },
            On::Item(batch, index) => self.batches[batch].values[index].as_ref(),
        }
    }

    fn has_ended(&self, task: usize) -> bool {
        self.outcome(On::Task(task)).is_some()
    }
}
