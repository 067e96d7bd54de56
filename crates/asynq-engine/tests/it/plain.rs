//! Driving an engine by hand, a call of its methods at a time.

use asynq_engine::{Dependency, Engine, Host, Step, TaskId, Until};

/// Payloads that say nothing.
pub(crate) struct Plain;

impl Host for Plain {
    type Task = ();
    type Batch = ();
    type Context = ();
    type Priority = (i64, usize);
}

/// Calls a task synchronously, and runs it.
pub(crate) fn begin_call<H: Host>(engine: &mut Engine<H>, root: TaskId) {
    engine.enter(root);
    assert_eq!(engine.next(), Step::Run(root));
}

/// Ends the task that runs and was called, and with it the innermost call.
pub(crate) fn end_call<H: Host>(engine: &mut Engine<H>, root: TaskId) {
    engine.complete(root);
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
}

/// Makes the task that runs wait for all of `on`.
pub(crate) fn await_all<H, D>(engine: &mut Engine<H>, on: impl IntoIterator<Item = D>)
where
    H: Host,
    D: Into<Dependency>,
{
    for on in on {
        engine.depend(on);
    }
    engine.block(Until::All);
}
