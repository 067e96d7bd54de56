//! A program for the simulated driver: plain data, so that a test can write it down, a generator
//! can make it up, and a model can interpret it.
//!
//! Values are numbers. A task starts with 0 and adds whatever it receives; its value is that sum.
//! The value of an item is its key.

use std::collections::BTreeMap;

/// A number or the text of an error.
pub(crate) type Outcome = Result<i64, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskRef(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PromiseRef(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceRef(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ContextRef(pub(crate) usize);

#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) tasks: Vec<Task>,
    pub(crate) promises: Vec<String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) contexts: Vec<Context>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) script: Vec<Op>,
}

/// One operation of a task. A task does them one after the other, and then returns its sum.
///
/// An error goes to the next [`Op::Catch`] of the script; without one the task fails with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Waits for several things and adds the values of those that are there. If one of those has
    /// an error, the first in the order given is raised.
    Await(Vec<On>, Join),
    /// Names things to wait for, without waiting: the next [`Op::Await`] waits for them as well,
    /// even if they are computed by then.
    Depend(Vec<On>),
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
    /// Wakes a task from outside, if it waits for that ([`Join::AnyOrWake`]); if it runs, it will
    /// not wait at its next [`Op::Await`].
    Wake(TaskRef),
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
pub(crate) enum Join {
    All,
    /// Goes on at once if one of them is there already.
    Any,
    /// The same as `Any`, or the driver has to wait and wakes the task: lowest number first, in one
    /// order with [`Flush::Later`].
    AnyOrWake(u32),
}

/// Something to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Task(TaskRef),
    Promise(PromiseRef),
    /// A new item in the batch of the source that is open; opens one if there is none.
    Item(SourceRef, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) priority: Priority,
    pub(crate) flush: Flush,
    /// Its flushes are under no contexts but those of the call that drives them.
    pub(crate) is_limited_to_call: bool,
    /// The keys that do not simply get their values.
    pub(crate) fates: BTreeMap<i64, Fate>,
}

#[derive(Clone, Debug)]
pub(crate) enum Priority {
    BySize,
    /// The driver is asked; it answers these in turn, the last one again and again, each with the
    /// number of items behind.
    Asked(Vec<i64>),
}

#[derive(Clone, Debug)]
pub(crate) enum Flush {
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
pub(crate) enum Fate {
    /// The item gets an error.
    Error,
    /// The flush sets no value.
    Forgotten,
    /// The flush fails when it comes to this key: so does every item that has no value then.
    Breaks,
}

#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) is_kept_out_of_flushes: bool,
    /// The number of the pause of an instance that fails, from 1.
    pub(crate) failing_pause: Option<usize>,
    /// The number of the resume of an instance that fails, from 1; the first is that of [`Op::Enter`].
    pub(crate) failing_resume: Option<usize>,
}

/// Writing programs down.
impl Program {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn task(&mut self, name: &str, script: impl Into<Vec<Op>>) -> TaskRef {
        self.tasks.push(Task { name: name.into(), script: script.into() });
        TaskRef(self.tasks.len() - 1)
    }

    /// A task whose script comes later, by [`script`](Self::script).
    pub(crate) fn declare(&mut self, name: &str) -> TaskRef {
        self.task(name, [])
    }

    pub(crate) fn script(&mut self, task: TaskRef, script: impl Into<Vec<Op>>) {
        self.tasks[task.0].script = script.into();
    }

    pub(crate) fn promise(&mut self, name: &str) -> PromiseRef {
        self.promises.push(name.into());
        PromiseRef(self.promises.len() - 1)
    }

    pub(crate) fn source(&mut self, name: &str) -> SourceRef {
        self.sources.push(Source {
            name: name.into(),
            priority: Priority::BySize,
            flush: Flush::Now,
            is_limited_to_call: false,
            fates: BTreeMap::new(),
        });
        SourceRef(self.sources.len() - 1)
    }

    pub(crate) fn priority(&mut self, source: SourceRef, answers: impl Into<Vec<i64>>) {
        self.sources[source.0].priority = Priority::Asked(answers.into());
    }

    pub(crate) fn flush(&mut self, source: SourceRef, flush: Flush) {
        self.sources[source.0].flush = flush;
    }

    pub(crate) fn limit_to_call(&mut self, source: SourceRef) {
        self.sources[source.0].is_limited_to_call = true;
    }

    pub(crate) fn fate(&mut self, source: SourceRef, key: i64, fate: Fate) {
        self.sources[source.0].fates.insert(key, fate);
    }

    pub(crate) fn context(&mut self, name: &str) -> ContextRef {
        self.contexts.push(Context {
            name: name.into(),
            is_kept_out_of_flushes: false,
            failing_pause: None,
            failing_resume: None,
        });
        ContextRef(self.contexts.len() - 1)
    }

    pub(crate) fn keep_out_of_flushes(&mut self, context: ContextRef) {
        self.contexts[context.0].is_kept_out_of_flushes = true;
    }

    pub(crate) fn fail_pause(&mut self, context: ContextRef, nth: usize) {
        self.contexts[context.0].failing_pause = Some(nth);
    }

    pub(crate) fn fail_resume(&mut self, context: ContextRef, nth: usize) {
        self.contexts[context.0].failing_resume = Some(nth);
    }
}

impl SourceRef {
    /// An item to wait for.
    pub(crate) fn item(self, key: i64) -> On {
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

/// Names something to wait for later.
pub(crate) fn depend(on: impl Into<On>) -> Op {
    Op::Depend(vec![on.into()])
}

/// Waits for what was named before.
pub(crate) fn wait() -> Op {
    Op::Await(Vec::new(), Join::All)
}

/// Waits for one thing.
pub(crate) fn one(on: impl Into<On>) -> Op {
    Op::Await(vec![on.into()], Join::All)
}

/// Waits for all of several things.
pub(crate) fn all<T: Into<On>>(on: impl IntoIterator<Item = T>) -> Op {
    Op::Await(on.into_iter().map(Into::into).collect(), Join::All)
}

/// Waits for the first of several things.
pub(crate) fn any<T: Into<On>>(on: impl IntoIterator<Item = T>) -> Op {
    Op::Await(on.into_iter().map(Into::into).collect(), Join::Any)
}

/// Raises an error.
pub(crate) fn fail(error: &str) -> Op {
    Op::Fail(error.into())
}
