//! The sources: opening batches, giving their priorities, flushing them, and giving their items values.

use asynq_engine::{BatchId, Dependency, ItemId, PriorityRule};

use super::driver::{Awaited, Driver, Outside};
use super::program::{Fate, Flush, Outcome, Priority, SourceRef};

#[derive(Default)]
pub(super) struct Source {
    /// The batch that was opened last.
    current: Option<usize>,
    opened: usize,
    /// Number of times it was asked for its priority.
    asked: usize,
}

pub(super) struct Batch {
    pub(super) name: String,
    pub(super) keys: Vec<i64>,
    pub(super) values: Vec<Option<Outcome>>,
    source: SourceRef,
    pub(super) id: BatchId,
}

impl Driver {
    /// Adds an item to the open batch of `source`; opens one if there is none.
    pub(super) fn new_item(&mut self, source: SourceRef, key: i64) -> (Awaited, Dependency) {
        let current = self.sources[source.0].current;
        let added = current.and_then(|batch| {
            let item = self.engine.add_item(self.batches[batch].id)?;
            Some((batch, item))
        });
        let (batch, item) = added.unwrap_or_else(|| {
            let batch = self.open(source);
            let item = self.engine.add_item(self.batches[batch].id);
            (batch, item.expect("a new batch takes items"))
        });
        self.batches[batch].keys.push(key);
        self.batches[batch].values.push(None);
        let index = item.index as usize;
        (Awaited::Item { batch, index }, item.into())
    }

    fn open(&mut self, source: SourceRef) -> usize {
        let spec = &self.program.sources[source.0];
        let rule = match spec.priority {
            Priority::BySize => PriorityRule::BySize,
            Priority::Asked(_) => PriorityRule::Ask,
        };
        let batch = self.batches.len();
        let state = &mut self.sources[source.0];
        state.opened += 1;
        state.current = Some(batch);
        let id = self.engine.add_batch(batch, rule);
        if spec.is_limited_to_call {
            self.engine.limit_to_call(id);
        }
        self.batches.push(Batch {
            name: format!("{}#{}", spec.name, state.opened),
            keys: Vec::new(),
            values: Vec::new(),
            source,
            id,
        });
        batch
    }

    pub(super) fn priority(&mut self, id: BatchId) {
        let Batch { source, keys, .. } = &self.batches[self.batch(id)];
        let Priority::Asked(answers) = &self.program.sources[source.0].priority else {
            panic!("asked for the priority of a batch that goes by size")
        };
        let state = &mut self.sources[source.0];
        let answer = answers[state.asked.min(answers.len() - 1)];
        state.asked += 1;
        self.engine.set_priority(id, (answer, keys.len()));
    }

    pub(super) fn flush_out_of_turn(&mut self, source: SourceRef) {
        if let Some(batch) = self.sources[source.0].current {
            let id = self.batches[batch].id;
            if self.engine.begin_flush(id) {
                let place = self.engine.enter_flush(id);
                self.switch_to(self.engine.flush_scope(id));
                self.flush(id);
                if let Some(place) = place {
                    self.switch_to(place.scope());
                    self.engine.leave_flush(place);
                }
            }
        }
    }

    pub(super) fn flush(&mut self, id: BatchId) {
        let index = self.batch(id);
        let batch = &self.batches[index];
        let keys: Vec<_> = batch.keys.iter().map(i64::to_string).collect();
        self.record.say(format!("flush {}({})", batch.name, keys.join(", ")));
        self.record.flushes.push((batch.name.clone(), batch.keys.clone()));
        let flush = self.program.sources[batch.source.0].flush.clone();
        let helper = |task: usize, name: &str| format!("{name}[{}]", self.batches[task].name);
        match flush {
            Flush::Now => self.set_values(index, None),
            Flush::Later(order) => {
                self.engine.defer(id, None);
                self.happens_later(order, Outside::Lands(index));
            }
            Flush::Carried(task) => {
                let name = helper(index, &self.program.tasks[task.0].name);
                let flush_task = self.add_task(name, task);
                self.nodes[flush_task].carries = Some(index);
                self.engine.defer(id, Some(self.nodes[flush_task].id));
            }
            Flush::Calls(task) => {
                let name = helper(index, &self.program.tasks[task.0].name);
                let called = self.add_task(name, task);
                let outcome = self.drive(called);
                self.set_values(index, outcome.err());
            }
        }
    }

    /// The values of a batch in flight have come, or its error.
    pub(super) fn land(&mut self, batch: usize, error: Option<String>) {
        self.record.say(format!("{} lands", self.batches[batch].name));
        self.set_values(batch, error);
    }

    fn set_values(&mut self, index: usize, mut error: Option<String>) {
        let Batch { source, id, .. } = self.batches[index];
        for item in 0..self.batches[index].keys.len() {
            let Batch { keys, name, .. } = &self.batches[index];
            let key = keys[item];
            let fate = self.program.sources[source.0].fates.get(&key);
            if fate == Some(&Fate::Breaks) {
                error.get_or_insert_with(|| format!("{name} broke at {key}"));
            }
            let value = match (&error, fate) {
                // Those come with the end of the batch, below.
                (Some(_), _) | (None, Some(Fate::Forgotten)) => continue,
                (None, Some(_)) => Err(format!("{name} has no {key}")),
                (None, None) => Ok(key),
            };
            self.batches[index].values[item] = Some(value);
            self.engine.complete_item(ItemId {
                batch: id,
                index: u32::try_from(item).expect("few items"),
            });
        }
        let Batch { name, keys, values, .. } = &mut self.batches[index];
        for (value, key) in values.iter_mut().zip(keys) {
            let missing = || Err(error.clone().unwrap_or(format!("{name} forgot {key}")));
            value.get_or_insert_with(missing);
        }
        self.engine.close(id).expect("a batch is closed once");
    }
}
