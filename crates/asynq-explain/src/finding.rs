//! Findings: faults in the code that cost rounds, and what to change.

use std::fmt;

/// A fault in the code that costs rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Kind of the fault.
    pub kind: Kind,
    /// File of the code to change.
    pub file: String,
    /// Line of the code to change.
    pub line: u32,
    /// Function of the code to change.
    pub function: String,
    /// The fault, in one line.
    pub what: String,
    /// The reason why it costs rounds, in one line.
    pub why: String,
    /// The change to make, and the rounds that it saves, in one line.
    pub advice: String,
    /// Name of the source whose rounds would be saved.
    pub source: String,
    /// Rounds of that source now.
    pub source_rounds: u32,
    /// Rounds of that source after the change.
    pub source_rounds_after: u32,
    /// Rounds of the whole recording now.
    pub rounds: u32,
    /// Rounds of the whole recording after the change.
    pub rounds_after: u32,
    /// Batches that show the fault, in order, as indexes of [`Explanation::batches`](crate::Explanation::batches).
    pub batches: Vec<usize>,
    /// Tasks that show the fault, in order, as indexes of [`Explanation::tasks`](crate::Explanation::tasks); at most 100.
    pub tasks: Vec<usize>,
}

/// Kind of a [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// One key a round, from an await in a loop.
    Loop,
    /// A synchronous call in a task, which sends what other tasks would have added to.
    SynchronousCall,
    /// An await held back a request that did not need its value.
    EarlyAwait,
    /// Some tasks of a function skip an await, for example by a cache of their own, so that their keys go out earlier.
    Split,
    /// The same key was sent in several rounds.
    Duplicate,
}

impl Kind {
    /// Returns the name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "one key a round",
            Self::SynchronousCall => "synchronous call",
            Self::EarlyAwait => "early await",
            Self::Split => "split batch",
            Self::Duplicate => "duplicate key",
        }
    }
}

impl Finding {
    /// Returns the number of rounds that the change saves: of the whole recording, or else of the source.
    pub fn saves(&self) -> u32 {
        let of_all = self.rounds.saturating_sub(self.rounds_after);
        if of_all > 0 {
            of_all
        } else {
            self.source_rounds.saturating_sub(self.source_rounds_after)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
