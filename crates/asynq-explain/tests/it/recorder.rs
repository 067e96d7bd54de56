//! Collects a recording, with ids for its parts.

use std::collections::HashMap;

use asynq_explain::{Event, Flow, Id, Recording, Site, Source};

#[derive(Default)]
pub(crate) struct Recorder {
    recording: Recording,
    keys: HashMap<(Id, u64), Id>,
    last_id: Id,
}

impl Recorder {
    /// Returns a new id, for a task, load or batch.
    pub(crate) fn next_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn add_site(&mut self, function: &str, line: u32) -> Id {
        let id = next(self.recording.sites.len());
        let (function, file) = (function.to_owned(), "page.py".to_owned());
        self.recording.sites.push(Site { id, function, file, line, within: None });
        id
    }

    pub(crate) fn add_source(&mut self, name: &str) -> Id {
        let id = next(self.recording.sources.len());
        self.recording.sources.push(Source { id, name: name.to_owned(), file: None, line: None });
        id
    }

    /// Returns the number of a key of a source.
    pub(crate) fn key(&mut self, source: Id, key: u64) -> Id {
        let next = next(self.keys.keys().filter(|(other, _)| *other == source).count());
        *self.keys.entry((source, key)).or_insert(next)
    }

    pub(crate) fn record(&mut self, event: Event) {
        self.recording.events.push(event);
    }

    pub(crate) fn recording(&self, flows: Vec<Flow>) -> Recording {
        Recording { flows, ..self.recording.clone() }
    }
}

fn next(count: usize) -> Id {
    Id::try_from(count).unwrap() + 1
}
