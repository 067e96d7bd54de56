//! The tasks, functions and batches of a thread, as a recording knows them; tasks and batches by their ids in the engine.

use asynq_engine::{BatchId, TaskId};
use slotmap::Key;

use super::session::LoaderKey;
use super::step::Place;
use crate::call_stack::Site;

/// A task that has not ended.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) id: u32,
    pub(super) function: &'static Site,
    /// Text with the names of the contexts that it is in, in lines.
    pub(super) contexts: u32,
}

/// A function that runs, for a batch.
#[derive(Clone, Copy)]
pub(super) struct Function {
    pub(super) batch: u32,
    pub(super) site: &'static Site,
    pub(super) at: Place,
    /// Number of calls that were in progress when it began.
    pub(super) depth: usize,
    /// The part of a loader for which it runs, maybe in several polls.
    pub(super) part: Option<LoaderKey>,
    pub(super) task: Option<Task>,
}

/// A batch that was not answered.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) source: u32,
    /// Loads by the indexes of the items; 0 for those that are not recorded.
    pub(super) loads: Vec<u32>,
    /// A loader reports it itself.
    pub(super) is_quiet: bool,
    /// Its id, once it was sent.
    pub(super) sent: Option<u32>,
    /// Number of its keys that failed, and a text with the error of all of it.
    pub(super) failed: (u32, u32),
}

/// A table by ids of the engine. These are small numbers, which are used again with other versions.
pub(super) struct Table<T> {
    entries: Vec<Option<(u32, T)>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// Returns the index and the version of an id.
fn parts(id: impl Key) -> (usize, u32) {
    const BITS: u32 = u32::BITS;
    let id = id.data().as_ffi();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    (id as u32 as usize, (id >> BITS) as u32)
}

impl<T> Table<T> {
    pub(super) fn insert(&mut self, id: impl Key, value: T) {
        let (index, version) = parts(id);
        if index >= self.entries.len() {
            self.entries.resize_with(index + 1, || None);
        }
        self.entries[index] = Some((version, value));
    }

    #[inline]
    pub(super) fn get(&self, id: impl Key) -> Option<&T> {
        let (index, version) = parts(id);
        match self.entries.get(index) {
            Some(Some((known, value))) if *known == version => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: impl Key) -> Option<&mut T> {
        let (index, version) = parts(id);
        match self.entries.get_mut(index) {
            Some(Some((known, value))) if *known == version => Some(value),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, id: impl Key) -> Option<T> {
        self.get(id)?;
        let (index, _) = parts(id);
        self.entries.get_mut(index)?.take().map(|(_, value)| value)
    }
}

pub(super) type Tasks = Table<Task>;
pub(super) type Batches = Table<Batch>;

impl Batches {
    /// Returns a batch, which is added if it is a new one.
    pub(super) fn get_or_add(&mut self, id: BatchId) -> Option<&mut Batch> {
        if self.get(id).is_none() {
            self.insert(id, Batch::default());
        }
        self.get_mut(id)
    }
}

impl Tasks {
    /// Returns the id in the recording.
    #[inline]
    pub(super) fn id(&self, task: TaskId) -> Option<u32> {
        self.get(task).map(|task| task.id)
    }
}
