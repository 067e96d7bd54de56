//! Random programs, and a scheduler that runs them and writes the recording.
//!
//! A program is functions of statements, which await loads or calls of later functions. Each statement knows which
//! earlier ones it needs, so that the program can be changed as a finding says and run again.

use std::collections::VecDeque;

use asynq_explain::{Id, Recording};
use proptest::prelude::*;

use crate::common::Script;

/// Something that a statement awaits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ask {
    Load { source: usize },
    Call { function: usize },
}

/// A statement that awaits several things together.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) line: u32,
    pub(crate) asks: Vec<Ask>,
    /// Lines of earlier statements.
    pub(crate) needs: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The first is the page. Each calls only later ones.
    pub(crate) functions: Vec<Vec<Statement>>,
}

const SOURCES: [&str; 3] = ["red", "green", "blue"];
const FUNCTIONS: [&str; 3] = ["page", "row", "leaf"];

fn function(index: usize) -> impl Strategy<Value = Vec<Statement>> {
    let load = (0..SOURCES.len()).prop_map(|source| Ask::Load { source });
    let ask = if index + 1 < FUNCTIONS.len() {
        let call = (index + 1..FUNCTIONS.len()).prop_map(|function| Ask::Call { function });
        prop_oneof![2 => load, 1 => call].boxed()
    } else {
        load.boxed()
    };
    let statement = (prop::collection::vec(ask, 1..3), prop::collection::vec(any::<bool>(), 4));
    prop::collection::vec(statement, 1..4).prop_map(move |statements| {
        let base = 100 * (u32::try_from(index).unwrap() + 1);
        let statements = (1_u32..).zip(statements).map(|(number, (asks, needed))| Statement {
            line: base + number,
            asks,
            needs: (1..number)
                .zip(needed)
                .filter_map(|(other, needed)| needed.then_some(base + other))
                .collect(),
        });
        statements.collect()
    })
}

pub(crate) fn programs() -> impl Strategy<Value = Program> {
    (function(0), function(1), function(2))
        .prop_map(|(page, row, leaf)| Program { functions: vec![page, row, leaf] })
}

struct Task {
    id: Id,
    function: usize,
    /// Index of the statement that runs next, or is awaited.
    statement: usize,
    parent: Option<usize>,
    pending: usize,
    started: bool,
}

/// A load that was not sent: its task, id and source.
type Unsent = (usize, Id, usize);

struct Run<'p> {
    program: &'p Program,
    script: Script,
    tasks: Vec<Task>,
    ready: VecDeque<usize>,
    unsent: Vec<Unsent>,
}

impl Program {
    /// Runs the program.
    pub(crate) fn run(&self) -> Recording {
        let mut script = Script::new();
        for statement in self.functions.iter().flatten() {
            script.flow(statement.line, &statement.needs);
        }
        let mut run = Run {
            program: self,
            script,
            tasks: Vec::new(),
            ready: VecDeque::new(),
            unsent: Vec::new(),
        };
        run.start(0, None);
        while let Some(task) = run.ready.pop_front().or_else(|| run.flush()) {
            run.step(task);
        }
        run.script.recording()
    }
}

impl Run<'_> {
    fn start(&mut self, function: usize, by: Option<(usize, Id)>) -> Id {
        let line = 100 * (u32::try_from(function).unwrap() + 1);
        let creator = by.map(|(task, at)| (self.tasks[task].id, at));
        let id = self.script.task(FUNCTIONS[function], line, creator);
        let parent = by.map(|(task, _)| task);
        self.ready.push_back(self.tasks.len());
        self.tasks.push(Task { id, function, statement: 0, parent, pending: 0, started: false });
        id
    }

    /// Sends the keys of the source that has waited longest. Returns a task that goes on.
    fn flush(&mut self) -> Option<usize> {
        let source = self.unsent.first()?.2;
        let (sent, unsent) = self.unsent.drain(..).partition::<Vec<_>, _>(|load| load.2 == source);
        self.unsent = unsent;
        let loads: Vec<_> = sent.iter().map(|&(_, id, _)| id).collect();
        self.script.request(SOURCES[source], &loads);
        for (task, ..) in sent {
            self.resolve(task);
        }
        // Perhaps nobody can go on yet.
        self.ready.pop_front().or_else(|| self.flush())
    }

    /// One of the things that a task awaits is there.
    fn resolve(&mut self, task: usize) {
        self.tasks[task].pending -= 1;
        if self.tasks[task].pending == 0 {
            self.tasks[task].statement += 1;
            self.ready.push_back(task);
        }
    }

    fn step(&mut self, task: usize) {
        let Task { id, function, statement, parent, started, .. } = self.tasks[task];
        if started {
            self.script.run(id);
        }
        self.tasks[task].started = true;
        let Some(statement) = self.program.functions[function].get(statement) else {
            self.script.end(id);
            if let Some(parent) = parent {
                self.resolve(parent);
            }
            return;
        };
        let at = self.script.site(FUNCTIONS[function], statement.line);
        let (mut tasks, mut loads) = (Vec::new(), Vec::new());
        self.tasks[task].pending = statement.asks.len();
        for &ask in &statement.asks {
            match ask {
                Ask::Load { source } => {
                    let key = self.script.new_key();
                    let load = self.script.load(Some(id), Some(at), SOURCES[source], key);
                    self.unsent.push((task, load, source));
                    loads.push(load);
                }
                Ask::Call { function } => tasks.push(self.start(function, Some((task, at)))),
            }
        }
        self.script.wait(id, at, &tasks, &loads);
    }
}
