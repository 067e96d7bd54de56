//! The report on tasks that can never run again.

use alloc::vec::Vec;

use crate::dependency::Dependency;
use crate::id::TaskId;

/// Tasks that wait for each other, or for something that nobody will complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// The tasks that fail, so that the others can go on: in the outermost call, those that wait
    /// for something nobody will complete; if there is none, those that close a circle. Empty if
    /// the tasks may yet go on, but not within this call.
    pub victims: Vec<TaskId>,
    /// All tasks that are stuck, the called one first, with what each still waits for.
    pub waits: Vec<(TaskId, Vec<Dependency>)>,
}
