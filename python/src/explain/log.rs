//! The log of the process: what the sessions have recorded, and what is known of the things in it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use asynq_explain::{Keys, Reason, Sampler};
use foldhash::fast::FixedState;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::explain::step::{Entry, Item, Need, Step};
use crate::explain::tasks::Tasks;
use crate::ffi::context_vars;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::options::{self, Switches};

/// A table by small numbers or addresses.
pub(crate) type Table<K, V> = HashMap<K, V, FixedState>;

static LOG: GilCell<Option<Box<Log>>> = GilCell::new(None);

/// Number of times that a log has begun, by which others know that their numbers are out of date.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// The log, which exists while there are sessions.
pub(crate) struct Log {
    began: Instant,
    /// Time of the last step, which the next ones have as well if little happens in between.
    time: u64,
    /// Number of steps.
    steps: u32,
    /// Context variables that were seen last, and the session there.
    pub(crate) last_context: Option<LastContext>,
    /// Place of the code that has created a task last, its task, and the site.
    pub(crate) last_creation: (usize, i32, u32, u32),
    /// Names of the attributes that make the key of an item, by class.
    pub(crate) item_attributes: Table<usize, ItemAttributes>,
    pub(crate) sessions: Vec<Session>,
    /// Codes that were seen, by their addresses. They are held, so that no other gets the address.
    pub(crate) codes: Table<usize, Code>,
    /// Sites by code, position in it, and the site around.
    pub(crate) sites_by_position: Table<(usize, i32, u32), u32>,
    /// Sites of loads by code and instruction, where the task itself has asked for the key.
    pub(crate) loads: Table<(usize, usize), u32>,
    /// Sites of waits by code and instruction, where nothing else is awaited inside.
    pub(crate) waits: Table<(usize, usize), u32>,
    /// Sites, the first of which has number 1.
    pub(crate) sites: Vec<Site>,
    /// Texts, the first of which has number 1.
    pub(crate) texts: Vec<String>,
    texts_by_content: HashMap<String, u32>,
    pub(crate) sources_by_address: Table<(usize, u64), u32>,
    /// Sources, the first of which has number 1.
    pub(crate) sources: Vec<Source>,
    /// Tasks that have not ended.
    pub(crate) tasks: Tasks,
    pub(crate) batches: Table<u32, Batch>,
    /// Coroutines that have made calls, by their numbers as tasks.
    pub(crate) callers: Table<u32, Caller>,
    /// Sessions around those that have ended.
    pub(crate) ended: Table<u32, u32>,
    /// Object of Python that is told of flushes.
    pub(crate) observer: Option<Py<PyAny>>,
    /// Number of the request that is just being sent, whose batch function may be a task.
    pub(crate) sending: u32,
    /// A session shows the texts of keys.
    pub(crate) wants_text: bool,
    /// Reason of the next flush.
    pub(crate) reason: Reason,
}

/// Context variables, and the session of the code that sees them.
pub(crate) struct LastContext {
    pub(crate) table: context_vars::Table,
    pub(crate) thread: u64,
    pub(crate) session: u32,
    /// Keeps the table, so that no other gets its address.
    #[expect(dead_code, reason = "it is held")]
    pub(crate) context: context_vars::Context,
}

/// Attributes of the items of a class that make their key.
pub(crate) struct ItemAttributes {
    #[expect(dead_code, reason = "it is held, so that no other gets its address")]
    pub(crate) class: Py<PyAny>,
    pub(crate) names: Vec<Py<PyAny>>,
}

/// A code object.
pub(crate) struct Code {
    pub(crate) object: Py<PyAny>,
    /// Site of its definition.
    pub(crate) definition: u32,
    /// It is in this package.
    pub(crate) is_internal: bool,
    /// It is that of a comprehension, which is a part of the function around it.
    pub(crate) is_comprehension: bool,
}

/// A place in the code.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) function: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    /// Number of the site of the call around it, in the same task.
    pub(crate) within: u32,
}

/// A loader or a class of batches.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) place: Option<(String, u32)>,
    /// Number of each key that is no integer.
    pub(crate) keys: Py<PyDict>,
    pub(crate) integers: Table<i64, u32>,
    pub(crate) last_key: u32,
    /// Texts of the keys, in the order of their numbers.
    pub(crate) texts: Vec<Option<String>>,
    /// Object whose address stands for the source, so that no other gets it.
    #[expect(dead_code, reason = "it is held")]
    pub(crate) object: Py<PyAny>,
}

impl Source {
    /// Returns a number for a new key.
    pub(crate) fn next_key(&mut self) -> u32 {
        self.last_key += 1;
        self.last_key
    }
}

/// A coroutine that has made calls.
#[derive(Default)]
pub(crate) struct Caller {
    /// Calls whose values it has not seen, and the sites at which it made them.
    pub(crate) calls: Vec<(Need, u32)>,
    /// The last call of others that it has seen.
    pub(crate) seen: Option<Need>,
}

/// A batch that has not ended.
#[derive(Default)]
pub(crate) struct Batch {
    /// Items that somebody has asked for.
    pub(crate) asked: Vec<bool>,
    /// Sessions of those who asked.
    pub(crate) sessions: Vec<u32>,
    /// Text of its priority.
    pub(crate) priority: u32,
    /// An item that a coroutine has asked for.
    pub(crate) of_coroutine: Option<Item>,
}

/// A recording that goes on.
pub(crate) struct Session {
    pub(crate) number: u32,
    /// Number of the session in whose context it began.
    pub(crate) parent: u32,
    /// Number of the thread in which it began.
    pub(crate) thread: u64,
    /// It records what runs in other threads outside of other sessions.
    pub(crate) all_threads: bool,
    /// It records everything that runs outside of other sessions.
    pub(crate) everything: bool,
    pub(crate) keys: Keys,
    pub(crate) capacity: usize,
    pub(crate) sampling: f64,
    /// Chooses the outermost calls that are recorded.
    pub(crate) sampler: Sampler,
    pub(crate) began: u64,
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) dropped: u64,
    /// The call of a coroutine that has ended last.
    pub(crate) last_ended: Option<Need>,
}

impl Session {
    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= self.capacity {
            self.dropped += 1;
            if self.entries.pop_front().is_none() {
                return;
            }
        }
        self.entries.push_back(entry);
    }

    /// Returns whether the outermost call that begins now is to be recorded.
    pub(crate) fn samples(&mut self) -> bool {
        self.sampler.samples()
    }
}

impl Log {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            time: 0,
            steps: 0,
            last_context: None,
            last_creation: (0, 0, 0, 0),
            item_attributes: Table::default(),
            sessions: Vec::new(),
            codes: Table::default(),
            sites_by_position: Table::default(),
            loads: Table::default(),
            waits: Table::default(),
            sites: Vec::new(),
            texts: Vec::new(),
            texts_by_content: HashMap::new(),
            sources_by_address: Table::default(),
            sources: Vec::new(),
            tasks: Tasks::default(),
            batches: Table::default(),
            callers: Table::default(),
            ended: Table::default(),
            observer: None,
            sending: 0,
            wants_text: false,
            reason: Reason::Asked,
        }
    }

    /// Returns the time, in nanoseconds since the log began.
    pub(crate) fn now(&mut self) -> u64 {
        let elapsed = self.began.elapsed();
        self.time = elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos());
        self.time
    }

    /// Returns the time of a step of a task, or of one a few steps before: to ask for it takes longer than to
    /// record the step.
    fn time_of_step(&mut self) -> u64 {
        const STEPS: u32 = 16;
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) { self.now() } else { self.time }
    }

    /// Adds a step to a session, and to those around it.
    pub(crate) fn push(&mut self, session: u32, step: Step) {
        let time = match step {
            Step::Call { .. } | Step::Return { .. } => self.now(),
            _ => self.time_of_step(),
        };
        if let [only] = &mut self.sessions[..] {
            if only.number == session {
                only.push(Entry { time, step });
            }
            return;
        }
        let mut number = session;
        while let Some(session) = self.session(number) {
            session.push(Entry { time, step });
            number = session.parent;
        }
    }

    /// Adds the needs of a wait to a session, and to those around it.
    pub(crate) fn push_needs(&mut self, session: u32, needs: &[Need]) {
        let time = self.time_of_step();
        let mut number = session;
        while let Some(session) = self.session(number) {
            for &need in needs {
                session.push(Entry { time, step: Step::Needs { need } });
            }
            number = session.parent;
        }
    }

    /// Adds steps to several sessions, and once to each of those around them.
    pub(crate) fn push_to_all(&mut self, sessions: &[u32], steps: &[Step]) {
        let time = self.now();
        let mut all = Vec::new();
        for &session in sessions {
            let mut number = session;
            while let Some(session) = self.session(number).filter(|one| !all.contains(&one.number))
            {
                all.push(number);
                number = session.parent;
            }
        }
        for number in all {
            if let Some(session) = self.session(number) {
                for &step in steps {
                    session.push(Entry { time, step });
                }
            }
        }
    }

    /// Adds a step of a task.
    pub(crate) fn push_of(&mut self, task: u32, step: Step) {
        if let Some(session) = self.tasks.get(task).map(|task| task.session) {
            self.push(session, step);
        }
    }

    /// Returns the number of a text.
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(&number) = self.texts_by_content.get(text) {
            return number;
        }
        self.texts.push(text.to_owned());
        let number = u32::try_from(self.texts.len()).unwrap_or(0);
        self.texts_by_content.insert(text.to_owned(), number);
        number
    }

    /// Returns the text with a number.
    pub(crate) fn text_of(&self, number: u32) -> Option<&str> {
        self.texts.get(index(number)?).map(String::as_str)
    }

    /// Returns the source with a number.
    pub(crate) fn source(&mut self, number: u32) -> Option<&mut Source> {
        self.sources.get_mut(index(number)?)
    }

    /// Returns the session with a number.
    pub(crate) fn session(&mut self, number: u32) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.number == number)
    }
}

/// Returns the index of the thing with a number, which counts from 1.
pub(crate) fn index(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

/// Returns a number that no other task, batch or session of the process has.
pub(crate) fn next_number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    match LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1) {
        0 => next_number(),
        number => number,
    }
}

/// Takes the log for a moment, in which no Python code may run.
pub(crate) fn take(py: Python<'_>) -> CellGuard<'_, Option<Box<Log>>> {
    LOG.take(py)
}

/// Runs `function` with the log, if there are sessions.
pub(crate) fn with<R>(py: Python<'_>, function: impl FnOnce(&mut Log) -> R) -> Option<R> {
    take(py).as_deref_mut().map(function)
}

/// Returns the number of the log that exists now.
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Begins a session. `make` makes it with the number that it gets, and the time.
pub(crate) fn begin(py: Python<'_>, make: impl FnOnce(u32, u64) -> Session) -> u32 {
    let mut guard = take(py);
    let log = guard.get_or_insert_with(|| {
        EPOCH.fetch_add(1, Ordering::Relaxed);
        Box::new(Log::new())
    });
    let number = next_number();
    let now = log.now();
    let session = make(number, now);
    log.wants_text |= session.keys != Keys::Count;
    log.sessions.push(session);
    let before = log.last_context.take();
    drop(guard);
    drop(before);
    options::record(true);
    number
}

/// Ends a session. Returns it with whatever `convert` makes of it; `None` if it has ended already.
pub(crate) fn end<R>(
    py: Python<'_>,
    number: u32,
    convert: impl FnOnce(&Log, &Session) -> R,
) -> Option<R> {
    let (converted, rest, _before) = {
        let mut guard = take(py);
        let log = guard.as_deref_mut()?;
        let before = log.last_context.take();
        let place = log.sessions.iter().position(|session| session.number == number)?;
        let session = log.sessions.remove(place);
        for other in &mut log.sessions {
            if other.parent == number {
                other.parent = session.parent;
            }
        }
        for task in log.tasks.iter_mut() {
            if task.session == number {
                task.session = session.parent;
            }
        }
        log.ended.insert(number, session.parent);
        let converted = convert(log, &session);
        let rest = if log.sessions.is_empty() { guard.take() } else { None };
        (converted, rest, before)
    };
    if rest.is_some() {
        options::record(false);
    }
    drop(rest); // Its objects may run code when they die.
    Some(converted)
}

/// Returns whether anything is recorded.
#[inline]
pub(crate) fn is_on() -> bool {
    Switches::on().has(Switches::RECORD)
}
