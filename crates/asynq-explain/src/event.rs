//! Events: the lines of a recording that tell what happened, in order.

use serde::{Deserialize, Serialize};

/// Time since the recording began, in nanoseconds.
pub type Time = u64;

/// Id of a task, load, batch, site or source: from 1, unique in a recording among things of the same kind.
pub type Id = u64;

/// One step of the program. `recording.md` describes each member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Event {
    /// A task was requested for the first time.
    Task(TaskCreated),
    /// A task runs: for the first time, or because its wait is over.
    Run(TaskRuns),
    /// A task waits.
    Wait(TaskWaits),
    /// A task has ended, or a promise was completed.
    End(TaskEnds),
    /// Somebody asks for a key.
    Load(KeyLoaded),
    /// A request is sent.
    Flush(BatchSent),
    /// A request is answered.
    Answer(BatchAnswered),
    /// A synchronous call begins.
    Call(CallBegins),
    /// A synchronous call ends.
    Return(CallEnds),
    /// A task enters a context.
    Enter(ContextChange),
    /// A task leaves a context.
    Leave(ContextChange),
}

impl Event {
    /// Returns the time of the event.
    pub fn time(&self) -> Time {
        match self {
            Self::Task(event) => event.t,
            Self::Run(event) => event.t,
            Self::Wait(event) => event.t,
            Self::End(event) => event.t,
            Self::Load(event) => event.t,
            Self::Flush(event) => event.t,
            Self::Answer(event) => event.t,
            Self::Call(event) => event.t,
            Self::Return(event) => event.t,
            Self::Enter(event) | Self::Leave(event) => event.t,
        }
    }
}

/// A task was requested for the first time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCreated {
    /// Time.
    pub t: Time,
    /// Id of the task.
    pub id: Id,
    /// Number of its scheduler.
    #[serde(default)]
    pub thread: u32,
    /// Site of the definition of its function.
    pub site: Id,
    /// The task that created it; `None` outside of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Id>,
    /// Site of the call that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Id>,
    /// Names of the contexts that it inherits, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<String>,
    /// The batch whose flush the task is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<Id>,
}

/// A task runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRuns {
    /// Time.
    pub t: Time,
    /// The task.
    pub task: Id,
}

/// A task waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskWaits {
    /// Time.
    pub t: Time,
    /// The task.
    pub task: Id,
    /// Site of the await.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Id>,
    /// Tasks that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Id>,
    /// Loads that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<Id>,
    /// True if the first of them ends the wait.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any: bool,
}

/// A task has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnds {
    /// Time.
    pub t: Time,
    /// The task.
    pub task: Id,
    /// Its error, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Somebody asks for a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLoaded {
    /// Time.
    pub t: Time,
    /// Id of the load.
    pub id: Id,
    /// The task that asks; `None` outside of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// Site at which it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Id>,
    /// Source of the key.
    pub source: Id,
    /// Number of the key among those of the source; `None` if its keys cannot be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Id>,
    /// Text of the key, as far as the recording shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Origin of the value.
    #[serde(default)]
    pub how: How,
    /// The pending load whose value it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Id>,
    /// Number of the scheduler, where code outside of tasks asks.
    #[serde(default, skip_serializing_if = "is_no_thread")]
    pub thread: u32,
}

/// Origin of the value of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The key will be sent.
    #[default]
    New,
    /// The key is pending already.
    Shared,
    /// The value is cached.
    Cached,
}

/// A request is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSent {
    /// Time.
    pub t: Time,
    /// Id of the batch.
    pub batch: Id,
    /// Number of the scheduler that sends it.
    #[serde(default)]
    pub thread: u32,
    /// Its source.
    pub source: Id,
    /// The new loads that it carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<Id>,
    /// Number of its keys.
    #[serde(default)]
    pub keys: u64,
    /// Its priority, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Reason why it was sent then.
    #[serde(default)]
    pub reason: Reason,
    /// Depth of the synchronous call that drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u32>,
}

/// Reason why a request was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reason {
    /// No task could run.
    #[default]
    Idle,
    /// No task of a synchronous call inside a task could run, though other tasks could.
    Call,
    /// It had as many keys as its source takes.
    Full,
    /// Its first key had waited for the longest time that is allowed.
    Delay,
    /// Code asked for it.
    Asked,
}

/// A request is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswered {
    /// Time.
    pub t: Time,
    /// The batch.
    pub batch: Id,
    /// Number of keys with an error.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Error of the whole request, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A synchronous call begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBegins {
    /// Time.
    pub t: Time,
    /// Number of the scheduler.
    #[serde(default)]
    pub thread: u32,
    /// The task that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Id>,
    /// The task that calls; `None` outside of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Id>,
    /// Site of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Id>,
    /// Number of calls in progress on the thread, including this one.
    pub depth: u32,
}

/// A synchronous call ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnds {
    /// Time.
    pub t: Time,
    /// Number of the scheduler.
    #[serde(default)]
    pub thread: u32,
    /// Number of calls that are still in progress.
    pub depth: u32,
}

/// A task enters or leaves a context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextChange {
    /// Time.
    pub t: Time,
    /// The task.
    pub task: Id,
    /// Name of the context.
    pub context: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_no_thread(value: &u32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
