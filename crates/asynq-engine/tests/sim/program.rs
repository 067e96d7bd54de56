//! A program for the simulated driver: plain data, so that a test can write it down, a generator
//! can make it up, and a model can interpret it.
//!
//! Values are numbers. A task starts with 0 and adds whatever it receives; its value is that sum.
//! The value of an item is its key.

use std::collections::BTreeMap;

/// A number or the text of an error.
pub type Outcome = Result<i64, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskRef(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PromiseRef(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceRef(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextRef(pub usize);

#[derive(Clone, Debug, Default)]
pub struct Program {
    pub tasks: Vec<Task>,
    pub promises: Vec<String>,
    pub sources: Vec<Source>,
    pub contexts: Vec<Context>,
}

#[derive(Clone, Debug, Default)]
pub struct Task {
    pub name: String,
    pub script: Vec<Op>,
}

/// What a task does, one after the other. After the last one it returns its sum.
///
/// An error goes to the next [`Op::Catch`] of the script; without one the task fails with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Waits for several things and adds the values of those that are there. If one of those has
    /// an error, the first in the order given is raised.
    Await(Vec<On>, Join),
    /// Calls a task synchronously and adds its value, or raises its error.
    Call(TaskRef),
    /// Enters a context; its first resume is part of that.
    Enter(ContextRef),
    /// Leaves the instance of a context that was entered last, by whomever; pauses it if it is
    /// active.
    Leave(ContextRef),
    /// Completes a promise, unless that was done before.
    Set(PromiseRef, Outcome),
    /// Ends a task from outside with the error `cancelled`, unless it has ended.
    Cancel(TaskRef),
    /// Flushes the open batch of a source out of turn, if there is one.
    Flush(SourceRef),
    /// Raises an error.
    Fail(String),
    /// Ends the task with the error `interrupted` and has the innermost call given up, as an
    /// interrupt from the keyboard would: its caller gets the error `given up`.
    GiveUp,
    /// Adds a number to the sum.
    Add(i64),
    /// Errors before this go on from here.
    Catch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    All,
    /// Goes on at once if one of them is there already.
    Any,
    /// Likewise; or when the driver has to wait, wakes it up: lowest number first, in one order
    /// with [`Flush::Later`].
    AnyOrWake(u32),
}

/// Something to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Task(TaskRef),
    Promise(PromiseRef),
    /// A new item in the batch of the source that is open; opens one if there is none.
    Item(SourceRef, i64),
}

#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub priority: Priority,
    pub flush: Flush,
    /// What happens to keys to which something happens.
    pub fates: BTreeMap<i64, Fate>,
}

#[derive(Clone, Debug)]
pub enum Priority {
    BySize,
    /// The driver is asked; it answers these in turn, the last one again and again, each with the
    /// number of items behind.
    Asked(Vec<i64>),
}

#[derive(Clone, Debug)]
pub enum Flush {
    /// Sets the values at once.
    Now,
    /// Sets them when the driver has to wait: at each [`Step::Wait`](asynq_engine::Step::Wait)
    /// one flush lands, the lowest number first, among equals the one sent first.
    Later(u32),
    /// Sets them when a new instance of this task has ended; its error becomes theirs.
    Carried(TaskRef),
    /// Calls a new instance of this task synchronously, then sets them; its error becomes theirs.
    Calls(TaskRef),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The item gets an error.
    Error,
    /// The flush sets no value.
    Forgotten,
    /// The flush fails when it comes to this key: so does every item that has no value then.
    Breaks,
}

#[derive(Clone, Debug)]
pub struct Context {
    pub name: String,
    /// Which pause of an instance fails, from 1.
    pub failing_pause: Option<usize>,
    /// Which resume of an instance fails, from 1; the first is that of [`Op::Enter`].
    pub failing_resume: Option<usize>,
}

/// Writing programs down.
impl Program {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn task(&mut self, name: &str, script: impl Into<Vec<Op>>) -> TaskRef {
        self.tasks.push(Task { name: name.into(), script: script.into() });
        TaskRef(self.tasks.len() - 1)
    }

    /// A task whose script comes later, by [`script`](Self::script).
    pub fn declare(&mut self, name: &str) -> TaskRef {
        self.task(name, [])
    }

    pub fn script(&mut self, task: TaskRef, script: impl Into<Vec<Op>>) {
        self.tasks[task.0].script = script.into();
    }

    pub fn promise(&mut self, name: &str) -> PromiseRef {
        self.promises.push(name.into());
        PromiseRef(self.promises.len() - 1)
    }

    pub fn source(&mut self, name: &str) -> SourceRef {
        self.sources.push(Source {
            name: name.into(),
            priority: Priority::BySize,
            flush: Flush::Now,
            fates: BTreeMap::new(),
        });
        SourceRef(self.sources.len() - 1)
    }

    pub fn priority(&mut self, source: SourceRef, answers: impl Into<Vec<i64>>) {
        self.sources[source.0].priority = Priority::Asked(answers.into());
    }

    pub fn flush(&mut self, source: SourceRef, flush: Flush) {
        self.sources[source.0].flush = flush;
    }

    pub fn fate(&mut self, source: SourceRef, key: i64, fate: Fate) {
        self.sources[source.0].fates.insert(key, fate);
    }

    pub fn context(&mut self, name: &str) -> ContextRef {
        self.contexts.push(Context {
            name: name.into(),
            failing_pause: None,
            failing_resume: None,
        });
        ContextRef(self.contexts.len() - 1)
    }

    pub fn fail_pause(&mut self, context: ContextRef, nth: usize) {
        self.contexts[context.0].failing_pause = Some(nth);
    }

    pub fn fail_resume(&mut self, context: ContextRef, nth: usize) {
        self.contexts[context.0].failing_resume = Some(nth);
    }
}

impl SourceRef {
    /// An item to wait for.
    pub fn item(self, key: i64) -> On {
        On::Item(self, key)
    }
}

impl From<TaskRef> for On {
    fn from(task: TaskRef) -> Self {
        Self::Task(task)
    }
}

impl From<PromiseRef> for On {
    fn from(promise: PromiseRef) -> Self {
        Self::Promise(promise)
    }
}

/// Waits for one thing.
pub fn one(on: impl Into<On>) -> Op {
    Op::Await(vec![on.into()], Join::All)
}

/// Waits for all of several things.
pub fn all<T: Into<On>>(on: impl IntoIterator<Item = T>) -> Op {
    Op::Await(on.into_iter().map(Into::into).collect(), Join::All)
}

/// Waits for the first of several things.
pub fn any<T: Into<On>>(on: impl IntoIterator<Item = T>) -> Op {
    Op::Await(on.into_iter().map(Into::into).collect(), Join::Any)
}

/// Raises an error.
pub fn fail(error: &str) -> Op {
    Op::Fail(error.into())
}
