//! The steps of a recording, in the pieces in which threads hand them over.

use std::collections::VecDeque;
use std::mem;

use super::step::Entry;

/// Number of steps in a piece.
pub(super) const PIECE: usize = 512;

/// Steps in the order in which they came, those of each thread in their order.
#[derive(Default)]
pub(super) struct Pieces {
    list: VecDeque<Vec<Entry>>,
    /// Number of steps in them.
    count: usize,
    dropped: u64,
}

impl Pieces {
    /// Adds the steps of a thread, which has none afterwards. A whole piece is kept as it is. The oldest pieces are
    /// dropped as long as there are `capacity` steps without them.
    pub(super) fn add(&mut self, steps: &mut Vec<Entry>, capacity: usize) {
        self.count += steps.len();
        let is_whole = steps.len() >= PIECE;
        if is_whole {
            self.list.push_back(mem::take(steps));
        } else {
            self.add_to_last(steps);
        }
        while let Some(first) = self.list.front()
            && self.count - first.len() >= capacity
        {
            self.count -= first.len();
            self.dropped += number(first.len());
            let Some(mut spare) = self.list.pop_front() else { break };
            spare.clear();
            if steps.capacity() == 0 {
                *steps = spare;
            }
        }
        if is_whole {
            steps.reserve_exact(PIECE);
        }
    }

    fn add_to_last(&mut self, steps: &mut Vec<Entry>) {
        match self.list.back_mut() {
            Some(last) if last.len() + steps.len() <= PIECE => last.append(steps),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.append(steps);
                self.list.push_back(piece);
            }
        }
    }

    /// Returns the latest steps, in the order of their times, and the number of those that were dropped.
    pub(super) fn latest(&self, capacity: usize) -> (Vec<&Entry>, u64) {
        let excess = self.count.saturating_sub(capacity);
        let mut latest: Vec<_> = self.list.iter().flatten().skip(excess).collect();
        // The sort keeps the order of those of each thread.
        latest.sort_by_key(|entry| entry.time);
        (latest, self.dropped + number(excess))
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
