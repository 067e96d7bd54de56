//! The recorder: what a face feeds.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::event::{Event, Id};
use crate::keys::Keys;
use crate::place::{Flow, Site, Source};
use crate::recording::{Header, Recording};

/// Settings of a [`Recorder`].
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Maximum number of events that are kept. Each one more drops the oldest.
    pub capacity: usize,
    /// Share of the outermost calls that are recorded, from 0 to 1.
    pub sampling: f64,
    /// Form in which the recording shows keys.
    pub keys: Keys,
    /// `python` or `rust`.
    pub language: String,
    /// Name of the program.
    pub program: String,
    /// Unix time of the beginning, in milliseconds.
    pub started: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            sampling: 1.0,
            keys: Keys::default(),
            language: String::new(),
            program: String::new(),
            started: 0,
        }
    }
}

/// Collects the events of a program. It has no clock and no thread: a face translates the steps of its
/// engine, and reads the time.
#[derive(Debug, Default)]
pub struct Recorder {
    options: Options,
    events: VecDeque<Event>,
    dropped: u64,
    /// Outermost calls that were seen, as shares: one is recorded whenever the sum reaches 1.
    share: f64,
    sites: Vec<Site>,
    sources: Vec<Source>,
    keys: HashMap<(Id, u64), Id>,
    /// Number of keys of each source.
    key_counts: HashMap<Id, Id>,
    last_id: Id,
}

impl Recorder {
    /// Creates a recorder without events.
    pub fn new(options: Options) -> Self {
        // The first outermost call is recorded, however small the share.
        let share = if options.sampling > 0.0 { 1.0 - options.sampling.min(1.0) } else { 0.0 };
        Self { options, share, ..Self::default() }
    }

    /// Returns the settings.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns whether the outermost call that begins now is to be recorded. The calls are chosen evenly,
    /// beginning with the first.
    pub fn samples(&mut self) -> bool {
        self.share += self.options.sampling.clamp(0.0, 1.0);
        let samples = self.share >= 1.0;
        if samples {
            self.share -= 1.0;
        }
        samples
    }

    /// Returns a new id, for a task, load or batch.
    pub fn next_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// Adds a place in the code and returns its id. A face keeps the ids of the places it has added.
    pub fn add_site(&mut self, function: &str, file: &str, line: u32, within: Option<Id>) -> Id {
        let id = next(self.sites.len());
        let (function, file) = (function.to_owned(), file.to_owned());
        self.sites.push(Site { id, function, file, line, within });
        id
    }

    /// Adds a source and returns its id. A face keeps the ids of the sources it has added.
    pub fn add_source(&mut self, name: &str, place: Option<(&str, u32)>) -> Id {
        let id = next(self.sources.len());
        let (file, line) = place.map(|(file, line)| (file.to_owned(), line)).unzip();
        self.sources.push(Source { id, name: name.to_owned(), file, line });
        id
    }

    /// Returns the number of a key of a source, which has this hash. Keys with the same hash count as one:
    /// the hash has to be of 64 good bits.
    pub fn key(&mut self, source: Id, hash: u64) -> Id {
        let count = self.key_counts.entry(source).or_default();
        *self.keys.entry((source, hash)).or_insert_with(|| {
            *count += 1;
            *count
        })
    }

    /// Adds an event.
    pub fn record(&mut self, event: Event) {
        if self.events.len() >= self.options.capacity {
            self.events.pop_front();
            self.dropped += 1;
        }
        if self.options.capacity > 0 {
            self.events.push_back(event);
        }
    }

    /// Returns the places that were added, so that a face can read their code.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Returns the recording so far. `flows` are the needs of the statements at its sites.
    pub fn recording(&self, flows: Vec<Flow>) -> Recording {
        let Options { sampling, keys, ref language, ref program, started, .. } = self.options;
        let header = Header {
            language: language.clone(),
            program: program.clone(),
            keys,
            sampling,
            started,
            dropped: self.dropped,
            ..Header::default()
        };
        Recording {
            header,
            sites: self.sites.clone(),
            sources: self.sources.clone(),
            flows,
            events: self.events.iter().cloned().collect(),
        }
    }
}

fn next(count: usize) -> Id {
    Id::try_from(count).unwrap_or(Id::MAX - 1) + 1
}

/// Hashes a key for [`Recorder::key`].
pub fn hash_key(key: &(impl Hash + ?Sized)) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
