//! An operation on the engine.

use asynq_engine::{PriorityRule, Until};

/// One call of the engine, or nothing if it makes no sense now. A number picks one of all the
/// things of its kind that there ever were.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    AddTask,
    AddPromise,
    AddBatch(PriorityRule),
    AddItem(u8),
    /// Calls a task synchronously.
    Enter(u8),
    Abandon,
    NeedTask(u8),
    NeedItem(u8),
    /// Does what the loop of a driver does next. The number says how it answers.
    Drive(u8),
    DependOnTask(u8),
    DependOnItem(u8),
    Block(Until),
    EnterContext,
    LeaveContext(u8),
    /// The context that was paused or resumed last failed at that.
    FailContext,
    /// Moves the running task to one of its contexts, or to the inherited one.
    SetScope(u8),
    BeginFlush(u8),
    CompleteItem(u8),
    Defer(u8),
    /// The values of the batch come with the end of the task added last.
    DeferToTask(u8),
    Close(u8),
    CompleteTask(u8),
    Wake(u8),
    Interrupt(u8),
}

/// The number that always picks what was added last.
pub(super) const LAST: u8 = u8::MAX;

/// Any two bytes are an operation: so can a fuzzer make them up.
impl From<[u8; 2]> for Operation {
    fn from([kind, number]: [u8; 2]) -> Self {
        match kind % 64 {
            0..28 => Self::Drive(number),
            28..31 => Self::AddTask,
            31 => Self::AddPromise,
            32 | 33 => {
                Self::AddBatch(if number < 128 { PriorityRule::BySize } else { PriorityRule::Ask })
            }
            34 => Self::AddItem(number),
            35 | 36 => Self::Enter(number),
            37 => Self::Abandon,
            38 => Self::NeedTask(number),
            39 => Self::NeedItem(number),
            40..44 => Self::DependOnTask(number),
            44..47 => Self::DependOnItem(number),
            47 => Self::Block(match number % 3 {
                0 => Until::All,
                1 => Until::Any,
                _ => Until::AnyOrWake,
            }),
            48..52 => Self::EnterContext,
            52 => Self::LeaveContext(number),
            53 => Self::FailContext,
            54 => Self::SetScope(number),
            55 => Self::BeginFlush(number),
            56 => Self::CompleteItem(number),
            57 => Self::Defer(number),
            58 => Self::DeferToTask(number),
            59 => Self::Close(number),
            60 => Self::CompleteTask(number),
            61 => Self::Wake(number),
            _ => Self::Interrupt(number),
        }
    }
}
