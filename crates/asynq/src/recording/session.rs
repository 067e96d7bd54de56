//! A recording, which the threads of a program share.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use asynq_explain::{Event, Flow, Id, Keys, Options, Recorder, Recording, Site, Time};
use foldhash::fast::RandomState;

/// Number of recordings in progress.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Recordings in progress, for batches of loaders, which any thread may send.
static SESSIONS: Mutex<Vec<Weak<Session>>> = Mutex::new(Vec::new());

/// A key of a loader: ids of the loader and of the key.
pub(super) type LoaderKey = (u64, u64);

/// A recording in progress.
pub(crate) struct Session {
    pub(super) keys: Keys,
    start: Instant,
    threads: AtomicU32,
    state: Mutex<State>,
}

/// A load of a key of a loader.
#[derive(Clone, Copy)]
pub(super) struct Loaded {
    pub(super) id: Id,
    /// Site at which it was asked for.
    pub(super) at: Option<Id>,
    pub(super) is_awaited: bool,
}

/// A request outside of tasks.
pub(super) struct Request {
    pub(super) id: Id,
    /// Loads that it has not got the values of.
    pub(super) loads: Vec<(LoaderKey, Id)>,
}

/// A batch of a loader that is in flight, as far as its keys were asked for on threads of the recording.
pub(super) struct Part {
    pub(super) batch: Id,
    pub(super) keys: Vec<LoaderKey>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) recorder: Recorder,
    sites: HashMap<(&'static str, &'static str, u32), Id, RandomState>,
    sources: HashMap<(String, &'static str, u32, u32), Id, RandomState>,
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
        let session = Arc::new(Self {
            keys: options.keys,
            start: Instant::now(),
            threads: AtomicU32::new(0),
            state: Mutex::new(State { recorder: Recorder::new(options), ..State::default() }),
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

    /// Locks the state. No code of users runs meanwhile.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time, once the state is locked, so that it does not decrease.
    pub(super) fn now(&self) -> Time {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Returns the places that were recorded.
    pub(crate) fn sites(&self) -> Vec<Site> {
        self.state().recorder.sites().to_vec()
    }

    /// Returns the recording so far.
    pub(crate) fn recording(&self, flows: Vec<Flow>) -> Recording {
        self.state().recorder.recording(flows)
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
    /// Returns the site of a place in a function, which is given by its path.
    pub(super) fn site(&mut self, function: &'static str, at: &'static Location<'static>) -> Id {
        let key = (function, at.file(), at.line());
        let recorder = &mut self.recorder;
        *self
            .sites
            .entry(key)
            .or_insert_with(|| recorder.add_site(short_path(function), at.file(), at.line(), None))
    }

    /// Returns the id of a source.
    pub(super) fn source(&mut self, name: &str, at: &'static Location<'static>) -> Id {
        let key = (name.to_owned(), at.file(), at.line(), at.column());
        let recorder = &mut self.recorder;
        let place = Some((at.file(), at.line()));
        *self.sources.entry(key).or_insert_with(|| recorder.add_source(name, place))
    }

    pub(super) fn record(&mut self, event: Event) {
        self.recorder.record(event);
    }
}

/// Returns the name of a function without its modules, with its type if it is a method.
fn short_path(path: &str) -> &str {
    let Some(name) = path.rfind("::") else { return path };
    let before = path[..name].rfind("::").map_or(0, |place| place + 2);
    let is_type = path[before..].starts_with(char::is_uppercase);
    if is_type { &path[before..] } else { &path[name + 2..] }
}
