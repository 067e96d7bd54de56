//! Steps: the events of a recording, in the form in which they are kept while it goes on.

use asynq_explain::Reason;

/// A step and the time at which it was made, in nanoseconds since the log began.
pub(crate) struct Entry {
    pub(crate) time: u64,
    pub(crate) step: Step,
}

/// An item of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) batch: u32,
    pub(crate) index: u32,
}

/// Something that a task needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Task(u32),
    Item(Item),
}

/// One step. Numbers that may be missing are 0 then. `at` is a site, `text` a text of the log.
///
/// Steps have no lists: [`Step::Needs`] precedes the wait of which it is a part, and [`Step::SentItems`] the request.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Task {
        id: u32,
        thread: u32,
        site: u32,
        by: u32,
        at: u32,
        contexts: u32,
        flush: u32,
    },
    Run {
        task: u32,
    },
    Needs {
        need: Need,
    },
    Wait {
        task: u32,
        at: u32,
    },
    WaitForOne {
        task: u32,
        at: u32,
        need: Need,
    },
    End {
        task: u32,
        text: u32,
    },
    Load {
        item: Item,
        task: u32,
        at: u32,
        source: u32,
        key: u32,
    },
    Shared {
        of: Item,
        task: u32,
        at: u32,
        source: u32,
        key: u32,
    },
    /// A value is cached: there at once, or with those of a batch, of which it is an item then.
    Cached {
        item: Option<Item>,
        task: u32,
        at: u32,
        source: u32,
        key: u32,
    },
    SentItems {
        first: Item,
        count: u32,
    },
    Sent {
        batch: u32,
        thread: u32,
        source: u32,
        depth: u32,
        text: u32,
        reason: Reason,
    },
    Answer {
        batch: u32,
        failed: u32,
        text: u32,
    },
    Call {
        thread: u32,
        root: u32,
        task: u32,
        at: u32,
        depth: u32,
    },
    Return {
        thread: u32,
        depth: u32,
    },
    Enter {
        task: u32,
        text: u32,
    },
    Leave {
        task: u32,
        text: u32,
    },
}
