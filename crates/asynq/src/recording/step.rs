//! Steps: the events of a recording, in the form in which a thread keeps them while it goes on.
//!
//! A step has numbers and references to statics. Texts of places, functions and keys are made when the recording is
//! read.

use std::panic::Location;

use asynq_explain::{How, Reason};

use crate::call_stack::Site;

/// Place in a program, which lives as long as that.
pub(super) type Place = &'static Location<'static>;

/// A step and its time, in nanoseconds since the recording began.
pub(super) struct Entry {
    pub(super) time: u64,
    pub(super) step: Step,
}

/// Task or load that a task waits for, by its id.
#[derive(Clone, Copy)]
pub(super) enum Need {
    Task(u32),
    Load(u32),
}

/// Place in a function.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) function: &'static Site,
    pub(super) place: Place,
}

/// One step. Ids, and numbers of texts, are 0 where there is none.
pub(super) enum Step {
    Task {
        id: u32,
        thread: u32,
        function: &'static Site,
        /// Place of the call.
        at: Place,
        /// Place of the await before it, which is the place of a call of a function that was passed as a value.
        awaited: Option<Place>,
        /// Id and function of the task that has created it.
        by: Option<(u32, &'static Site)>,
        /// Text with the names of the contexts that it inherits, in lines.
        contexts: u32,
        flush: u32,
    },
    Run {
        task: u32,
    },
    WaitForOne {
        task: u32,
        at: Option<At>,
        need: Need,
    },
    Wait {
        task: u32,
        at: Option<At>,
        needs: Box<[Need]>,
        any: bool,
    },
    End {
        task: u32,
        error: u32,
    },
    Load(Load),
    Sent {
        batch: u32,
        thread: u32,
        source: u32,
        loads: Box<[u32]>,
        keys: u32,
        priority: i64,
        reason: Reason,
        call: Option<u32>,
    },
    Answer {
        batch: u32,
        failed: u32,
        error: u32,
    },
    Call {
        thread: u32,
        root: u32,
        task: u32,
        at: Option<At>,
        depth: u32,
    },
    Return {
        thread: u32,
        depth: u32,
    },
    Enter {
        task: u32,
        context: u32,
    },
    Leave {
        task: u32,
        context: u32,
    },
}

/// A key that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) id: u32,
    pub(super) task: u32,
    pub(super) at: Option<At>,
    pub(super) source: u32,
    /// Hash of the key, if it can be compared.
    pub(super) hash: Option<u64>,
    pub(super) text: u32,
    pub(super) how: How,
    /// The load whose value it shares.
    pub(super) of: u32,
    /// Number of the scheduler, outside of tasks.
    pub(super) thread: u32,
}
