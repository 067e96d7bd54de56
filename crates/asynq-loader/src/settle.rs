//! The wait of code until a round has settled.

/// Turns of an executor that have brought no new key to a round: see [`Loader::turn`](crate::Loader::turn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settle {
    /// Position behind the last key in the queue at the last turn.
    seen: Option<u64>,
    turns: u32,
}

impl Settle {
    /// Counts a turn, after which the queue ends at a position. Returns the number of turns since it has
    /// ended there.
    pub(crate) fn turn(&mut self, end: u64) -> u32 {
        if self.seen.replace(end) == Some(end) {
            self.turns = self.turns.saturating_add(1);
        } else {
            self.turns = 0;
        }
        self.turns
    }
}
