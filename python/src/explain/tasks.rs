//! Tasks of the log that have not ended, by their numbers, which grow.

use std::collections::VecDeque;

/// Number of entries beyond which the oldest tasks are forgotten: they have waited for very long.
const MAX: usize = 4_000_000;

/// A task that has not ended.
#[derive(Clone, Copy, Default)]
pub(crate) struct Task {
    /// Number of its session.
    pub(crate) session: u32,
    /// Address of its code.
    pub(crate) code: usize,
    /// Its code is in this package.
    pub(crate) is_internal: bool,
    /// Site of the call that created it.
    pub(crate) at: u32,
    /// Text with the names of the contexts that it is in, in lines.
    pub(crate) contexts: u32,
    /// A coroutine has created it.
    pub(crate) is_of_coroutine: bool,
}

/// A table of tasks. A hash table would take longer than all else that is recorded of a task.
#[derive(Default)]
pub(crate) struct Tasks {
    /// Number of the first entry.
    first: u32,
    entries: VecDeque<Option<Task>>,
}

impl Tasks {
    fn index(&self, number: u32) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// Adds a task, whose number is greater than those of all others.
    pub(crate) fn insert(&mut self, number: u32, task: Task) {
        if self.entries.is_empty() || number < self.first {
            self.entries.clear();
            self.first = number;
        }
        let Some(index) = self.index(number) else { return };
        if index > self.entries.len() {
            self.entries.resize(index.min(MAX), None); // Numbers of batches.
        }
        self.entries.push_back(Some(task));
        if self.entries.len() > MAX {
            self.entries.pop_front();
            self.first += 1;
        }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Task> {
        self.entries.get(self.index(number)?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Task> {
        let index = self.index(number)?;
        self.entries.get_mut(index)?.as_mut()
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.get(number).is_some()
    }

    /// Removes a task that has ended.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Task> {
        let index = self.index(number)?;
        let removed = self.entries.get_mut(index)?.take();
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        removed
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.entries.iter_mut().flatten()
    }
}
