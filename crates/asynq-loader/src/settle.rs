//! The wait of code until a round has settled.

/// Turns of an executor that have brought no new key to a round: see [`Loader::turn`](crate::Loader::turn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settle {
    /// Position behind the last key in the queue at the last turn.
    seen: Option<u64>,
    turns: u32,
    /// Turns in all, whatever they have brought.
    all: u32,
}

/// Number of turns for each that is waited for, after which a round has settled although each turn brings a new key.
const MAX_TURNS: u32 = 16;

impl Settle {
    /// Counts a turn, after which the queue ends at a position. Returns whether it has ended there for so many turns, or
    /// has grown for too many.
    pub(crate) fn turn(&mut self, end: u64, turns: u32) -> bool {
        if self.seen.replace(end) == Some(end) {
            self.turns = self.turns.saturating_add(1);
        } else {
            self.turns = 0;
        }
        self.all = self.all.saturating_add(1);
        self.turns >= turns || self.all > turns.saturating_mul(MAX_TURNS)
    }
}
