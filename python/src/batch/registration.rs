//! Registrations: the schedulers that know a batch.
//!
//! Greenlets of one thread may await items of the same batch. Each of their schedulers knows it then,
//! and flushes it when nothing else can run there. All are told of the values.

use asynq_engine::BatchId;

/// A scheduler that knows a batch.
pub(crate) struct Registration {
    pub(crate) scheduler_id: u32,
    /// Id of the batch in the engine of that scheduler.
    pub(crate) engine_id: BatchId,
    /// Number of items of the batch that the engine knows.
    pub(crate) known: u32,
}

/// All schedulers that know a batch: seldom more than one.
#[derive(Default)]
pub(crate) struct Registrations {
    first: Option<Registration>,
    others: Vec<Registration>,
}

impl Registrations {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Returns the id of the batch in the engine of this scheduler.
    pub(crate) fn of(&self, scheduler_id: u32) -> Option<BatchId> {
        let mut all = self.first.iter().chain(&self.others);
        all.find(|one| one.scheduler_id == scheduler_id).map(|one| one.engine_id)
    }

    /// Returns the id of the batch in the engine of this scheduler, if that is the only one that knows it,
    /// and knows all of its `count` items.
    #[inline]
    pub(crate) fn only_with_all(&self, scheduler_id: u32, count: u32) -> Option<BatchId> {
        let only = self.first.as_ref().filter(|_| self.others.is_empty())?;
        (only.scheduler_id == scheduler_id && only.known == count).then_some(only.engine_id)
    }

    /// Returns the number of the scheduler that knows the item at this index, with the id of the batch
    /// there, if it is the only one that knows the batch.
    #[inline]
    pub(crate) fn only_with_item(&self, index: u32) -> Option<(u32, BatchId)> {
        let only = self.first.as_ref().filter(|_| self.others.is_empty())?;
        (index < only.known).then_some((only.scheduler_id, only.engine_id))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Registration> {
        self.first.iter_mut().chain(&mut self.others)
    }

    /// Returns the numbers of the schedulers that know the item at this index, with the ids of the
    /// batch there.
    pub(crate) fn with_item(&self, index: u32) -> impl Iterator<Item = (u32, BatchId)> + use<> {
        self.ids(move |one| index < one.known)
    }

    /// Returns the numbers of all schedulers, with the ids of the batch there.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, BatchId)> + use<> {
        self.ids(|_| true)
    }

    fn ids<F>(&self, chosen: F) -> impl Iterator<Item = (u32, BatchId)> + use<F>
    where
        F: Fn(&Registration) -> bool,
    {
        let id = |one: &Registration| chosen(one).then_some((one.scheduler_id, one.engine_id));
        let others: Vec<_> = self.others.iter().filter_map(id).collect();
        self.first.as_ref().and_then(id).into_iter().chain(others)
    }

    pub(crate) fn add(&mut self, registration: Registration) {
        if self.first.is_none() {
            self.first = Some(registration);
        } else {
            self.others.push(registration);
        }
    }

    /// Forgets a scheduler.
    pub(crate) fn remove(&mut self, scheduler_id: u32) {
        self.others.retain(|one| one.scheduler_id != scheduler_id);
        if self.first.as_ref().is_some_and(|first| first.scheduler_id == scheduler_id) {
            self.first = self.others.pop();
        }
    }
}
