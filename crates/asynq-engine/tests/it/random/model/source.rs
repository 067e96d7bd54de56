//! Sources: batches and their items.

use std::cmp::Reverse;

use super::{Batch, Model, Need, Of, On, Outside, Stage};
use crate::sim::{Fate, Flush, Priority, SourceRef, TaskRef};

impl Model<'_> {
    pub(super) fn open_batch(&self, source: SourceRef) -> Option<usize> {
        let is_open = |batch: &Batch| batch.source == source && batch.state == Stage::Open;
        self.batches.iter().position(is_open)
    }

    /// A new item in the open batch of `source`.
    pub(super) fn ask(&mut self, source: SourceRef, key: i64) -> On {
        let batch = self.open_batch(source).unwrap_or_else(|| {
            let before = self.batches.iter().filter(|batch| batch.source == source).count();
            self.batches.push(Batch {
                name: format!("{}#{}", self.program.sources[source.0].name, before + 1),
                source,
                keys: Vec::new(),
                values: Vec::new(),
                state: Stage::Open,
                waiting_scopes: Vec::new(),
                flush_scope: None,
            });
            self.batches.len() - 1
        });
        self.batches[batch].keys.push(key);
        self.batches[batch].values.push(None);
        let item = On::Item(batch, self.batches[batch].keys.len() - 1);
        self.note_waiting(item, self.code_waiting_scope());
        item
    }

    /// The open batch of highest priority that the innermost call needs.
    pub(super) fn choose_batch(&mut self) -> Option<usize> {
        let call = self.calls.last().expect("somebody calls");
        let mut candidates = Vec::new();
        for (index, batch) in self.batches.iter().enumerate() {
            if batch.state != Stage::Open || !call.needs.contains(&Need::Batch(index)) {
                continue;
            }
            let base = match &self.program.sources[batch.source.0].priority {
                Priority::BySize => 0,
                Priority::Asked(answers) => {
                    let asked = &mut self.asked[batch.source.0];
                    *asked += 1;
                    *answers.get(*asked - 1).or(answers.last()).expect("an answer")
                }
            };
            candidates.push((base, batch.keys.len(), Reverse(index)));
        }
        candidates.into_iter().max().map(|(_, _, Reverse(batch))| batch)
    }

    /// The running task flushes a batch itself, under what it has in common with those who wait.
    pub(super) fn flush_out_of_turn(&mut self, batch: usize) {
        let before = self.code_scope();
        let waiting = self.code_waiting_scope();
        self.batches[batch].waiting_scopes.push(waiting);
        let scope = self.flush_scope(batch, before);
        while self.switch(scope) {}
        self.flush(batch, scope);
        while self.switch(before) {}
    }

    pub(super) fn flush(&mut self, batch: usize, scope: Option<usize>) {
        self.batches[batch].flush_scope = scope;
        let call = self.calls.len() - 1;
        let before = self.calls[call].flush.replace(super::Flush { scope });
        self.begin_flush(batch);
        self.calls[call].flush = before;
    }

    fn begin_flush(&mut self, batch: usize) {
        let Batch { name, source, keys, .. } = &self.batches[batch];
        let (name, source) = (name.clone(), *source);
        self.told.flushes.push((name.clone(), keys.clone()));
        let keys: Vec<_> = keys.iter().map(i64::to_string).collect();
        self.say(&format!("flush {name}({})", keys.join(", ")));
        self.batches[batch].state = Stage::Flushing;
        let helper_of = |model: &mut Self, task: TaskRef| {
            let helper = format!("{}[{name}]", model.program.tasks[task.0].name);
            model.add(Of::Helper(task), helper)
        };
        match self.program.sources[source.0].flush {
            Flush::Now => self.set_values(batch, None),
            Flush::Later(order) => {
                self.batches[batch].state = Stage::InFlight(None);
                self.outside.push((order, Outside::Lands(batch)));
                let is_in_flight = |batch: &&Batch| matches!(batch.state, Stage::InFlight(_));
                let in_flight = self.batches.iter().filter(is_in_flight).count();
                self.told.max_in_flight = self.told.max_in_flight.max(in_flight);
            }
            Flush::Carried(task) => {
                let flush_task = helper_of(self, task);
                self.carry(batch, flush_task);
            }
            Flush::Calls(task) => {
                let called = helper_of(self, task);
                let outcome = self.call(called);
                self.set_values(batch, outcome.err());
            }
        }
    }

    /// The values of a batch in flight have come, or its error.
    pub(super) fn land(&mut self, batch: usize, error: Option<String>) {
        self.say(&format!("{} lands", self.batches[batch].name));
        self.set_values(batch, error);
    }

    fn set_values(&mut self, batch: usize, mut error: Option<String>) {
        let Batch { name, source, keys, values, state, .. } = &mut self.batches[batch];
        let fates = &self.program.sources[source.0].fates;
        for (value, key) in values.iter_mut().zip(keys.iter()) {
            let fate = fates.get(key);
            if let (None, Some(Fate::Breaks)) = (&error, fate) {
                error = Some(format!("{name} broke at {key}"));
            }
            if error.is_some() {
                break;
            }
            match fate {
                None => *value = Some(Ok(*key)),
                Some(Fate::Forgotten) => {}
                Some(_) => *value = Some(Err(format!("{name} has no {key}"))),
            }
        }
        for (value, key) in values.iter_mut().zip(keys.iter()) {
            if value.is_none() {
                let forgot = format!("{name} forgot {key}");
                *value = Some(Err(error.clone().unwrap_or(forgot)));
            }
        }
        *state = Stage::Closed;
        self.look_who_can_go_on();
    }
}
