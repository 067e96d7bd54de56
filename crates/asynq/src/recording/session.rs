//! A recording in progress, which the threads of a program share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use asynq_explain::{Keys, Options, Sampler, Time};
use foldhash::fast::RandomState;

use super::pieces::Pieces;
use super::step::{At, Entry, Place, Step};

/// Number of recordings in progress.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Recordings in progress, for batches of loaders, which any thread may send.
static SESSIONS: Mutex<Vec<Weak<Session>>> = Mutex::new(Vec::new());

/// Number of ids that a thread takes at a time.
const IDS: u32 = 1 << 10;

/// A key of a loader: ids of the loader and of the key.
pub(super) type LoaderKey = (u64, u64);

/// Returns the key of something of a loader, by the ids of both.
pub(super) fn key_of((loader, key): (u64, impl slotmap::Key)) -> LoaderKey {
    (loader, key.data().as_ffi())
}

/// A recording in progress.
pub(crate) struct Session {
    pub(super) keys: Keys,
    start: Instant,
    threads: AtomicU32,
    last_id: AtomicU32,
    /// There may be loads that were answered before anybody waited for them.
    has_answered: AtomicBool,
    state: Mutex<State>,
}

/// A load of a key of a loader.
#[derive(Clone, Copy)]
pub(super) struct Loaded {
    pub(super) id: u32,
    /// Place at which it was asked for.
    pub(super) at: Option<At>,
    pub(super) is_awaited: bool,
}

/// A request outside of tasks.
pub(super) struct Request {
    pub(super) id: u32,
    /// Loads that it has not got the values of.
    pub(super) loads: Vec<(LoaderKey, u32)>,
}

/// A batch of a loader that is in flight, as far as its keys were asked for on threads of the recording.
pub(super) struct Part {
    pub(super) batch: u32,
    pub(super) keys: Vec<LoaderKey>,
    /// Task of the function, if that has asked for something.
    pub(super) task: Option<u32>,
}

/// A source of keys.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) at: Place,
}

/// State of a recording, which its threads share.
#[derive(Default)]
pub(super) struct State {
    pub(super) options: Options,
    sampler: Sampler,
    pub(super) steps: Pieces,
    pub(super) sources: Vec<Source>,
    sources_by_name: HashMap<(String, Place), u32, RandomState>,
    /// Sources of loaders, by the ids of these.
    pub(super) loaders: HashMap<u64, u32, RandomState>,
    pub(super) texts: Vec<String>,
    texts_by_content: HashMap<String, u32, RandomState>,
    /// Loads of keys of loaders that are pending.
    pub(super) loads: HashMap<LoaderKey, Loaded, RandomState>,
    /// Loads that were answered before anybody waited for them: other threads send batches at any time.
    pub(super) answered: HashMap<LoaderKey, Loaded, RandomState>,
    /// Requests outside of tasks, by their numbers.
    pub(super) requests: HashMap<u64, Request, RandomState>,
    /// Batches of loaders that are in flight, with their keys.
    pub(super) parts: HashMap<LoaderKey, Vec<Part>, RandomState>,
}

impl Session {
    /// Begins a recording.
    pub(crate) fn new(mut options: Options) -> Arc<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        options.started = u64::try_from(now.as_millis()).unwrap_or_default();
        "rust".clone_into(&mut options.language);
        if options.program.is_empty() {
            let program = std::env::args().next().unwrap_or_default();
            let program = std::path::Path::new(&program).file_stem().unwrap_or_default();
            options.program = program.to_string_lossy().into_owned();
        }
        let sampler = Sampler::new(options.sampling);
        let session = Arc::new(Self {
            keys: options.keys,
            start: Instant::now(),
            threads: AtomicU32::new(0),
            last_id: AtomicU32::new(0),
            has_answered: AtomicBool::new(false),
            state: Mutex::new(State { options, sampler, ..State::default() }),
        });
        COUNT.fetch_add(1, Ordering::AcqRel);
        sessions().push(Arc::downgrade(&session));
        session
    }

    /// Returns the recordings in progress.
    pub(super) fn all() -> Vec<Arc<Self>> {
        if COUNT.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        sessions().iter().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn new_thread(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns ids of tasks, loads and batches that nobody else has.
    pub(super) fn new_ids(&self) -> std::ops::Range<u32> {
        let last = self.last_id.fetch_add(IDS, Ordering::Relaxed);
        last.wrapping_add(1)..last.wrapping_add(IDS + 1)
    }

    /// Returns whether there may be loads that were answered before anybody waited for them.
    #[inline]
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Acquire)
    }

    pub(super) fn note_answered(&self) {
        self.has_answered.store(true, Ordering::Release);
    }

    /// Locks the state. No code of users runs meanwhile.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Time {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::AcqRel);
        sessions().retain(|session| session.strong_count() > 0);
    }
}

fn sessions() -> MutexGuard<'static, Vec<Weak<Session>>> {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Adds the steps of a thread, which has none afterwards. The oldest are dropped if there are too many.
    pub(super) fn add_steps(&mut self, steps: &mut Vec<Entry>) {
        self.steps.add(steps, self.options.capacity);
    }

    /// Adds a step of a thread that is not recorded.
    pub(super) fn add_step(&mut self, time: Time, step: Step) {
        self.add_steps(&mut vec![Entry { time, step }]);
    }

    /// Returns whether the outermost call that begins now is to be recorded.
    pub(super) fn samples(&mut self) -> bool {
        self.sampler.samples()
    }

    /// Returns the number of a source.
    pub(super) fn source(&mut self, name: &str, at: Place) -> u32 {
        let sources = &mut self.sources;
        let key = (name.to_owned(), at);
        *self.sources_by_name.entry(key).or_insert_with(|| {
            sources.push(Source { name: name.to_owned(), at });
            number(sources.len())
        })
    }

    /// Returns the source of a loader.
    pub(super) fn loader(&mut self, loader: u64, name: &str, at: Place) -> u32 {
        if let Some(&source) = self.loaders.get(&loader) {
            return source;
        }
        let source = self.source(name, at);
        self.loaders.insert(loader, source);
        source
    }

    /// Returns the number of a text.
    pub(super) fn text(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.texts_by_content.get(text) {
            return number;
        }
        self.texts.push(text.to_owned());
        let number = number(self.texts.len());
        self.texts_by_content.insert(text.to_owned(), number);
        number
    }

    /// Returns the text with a number.
    pub(super) fn text_of(&self, number: u32) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.texts.get(index).map(String::as_str)
    }

    /// Ends a batch of a loader. Returns the batches of the recording that are answered by that, and the tasks of their
    /// functions.
    pub(super) fn end_part(&mut self, part: LoaderKey) -> (Vec<u32>, Vec<u32>) {
        let parts = self.parts.remove(&part).unwrap_or_default();
        let mut tasks = Vec::new();
        let end = |Part { batch, keys, task }: Part| {
            tasks.extend(task);
            for key in keys {
                if let Some(load) = self.loads.remove(&key)
                    && !load.is_awaited
                {
                    self.answered.insert(key, load);
                }
            }
            batch
        };
        let batches = parts.into_iter().map(end).collect();
        (batches, tasks)
    }
}

/// Returns the number of the last of so many things.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
