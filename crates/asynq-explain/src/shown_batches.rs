//! The batches that a short report shows, where a recording has thousands.

use std::ops::Range;

use crate::explanation::Explanation;

/// Batches by round, of which those in the middle are left out if there are too many.
pub(crate) struct ShownBatches {
    /// Indexes of all batches, by round and time.
    pub(crate) order: Vec<usize>,
    /// Positions in `order` that are left out.
    pub(crate) gap: Range<usize>,
}

/// Row of a table, or node of a graph.
#[derive(Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// Index of a batch.
    Batch(usize),
    /// Indexes of batches that are only counted.
    Gap(&'a [usize]),
}

impl ShownBatches {
    pub(crate) fn new(explanation: &Explanation, limit: usize) -> Self {
        let mut order: Vec<usize> = (0..explanation.batches.len()).collect();
        order.sort_by_key(|&index| {
            (explanation.batches[index].round, explanation.batches[index].start)
        });
        let end = order.len();
        let last = limit / 4;
        let gap = if end > limit { limit - last..end - last } else { end..end };
        Self { order, gap }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Shown<'_>> {
        let batch = |&index: &usize| Shown::Batch(index);
        let left_out = &self.order[self.gap.clone()];
        let gap = (!left_out.is_empty()).then_some(Shown::Gap(left_out));
        self.order[..self.gap.start]
            .iter()
            .map(batch)
            .chain(gap)
            .chain(self.order[self.gap.end..].iter().map(batch))
    }
}
