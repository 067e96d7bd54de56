//! Hooks of what code needs: the items and keys that it asks for, and its waits.

use pyo3::prelude::*;

use super::tasks::{call_site, session_of};
use crate::explain::coroutines;
use crate::explain::log::{self, Log};
use crate::explain::observer;
use crate::explain::places;
use crate::explain::session;
use crate::explain::step::{Item, Need, Step};
use crate::explain::tasks::Task;
use crate::ffi::frames::{running_at, suspended_at};

/// An item for which a task asks, maybe, by awaiting it, with the numbers of its source and key.
pub(crate) type Asked = (Item, u32, u32);

/// Records that a task waits, whose code is a generator or coroutine: for what it needs, of which it has asked for
/// some items just now.
pub(crate) fn waits(
    py: Python<'_>,
    task: u32,
    generator: Option<&Bound<'_, PyAny>>,
    needs: &[Need],
    asked: &[Asked],
) {
    let place = generator.and_then(suspended_at);
    let known = log::with(py, |log| {
        let &Task { session, at: otherwise, .. } = log.tasks.get(task)?;
        let at = match generator {
            None => Some(otherwise),
            Some(_) => place.and_then(|place| log.waits.get(&place).copied()),
        };
        if let Some(at) = at {
            push_wait(log, session, (task, at), needs, asked);
        }
        Some((at.is_none(), session, otherwise))
    });
    let Some((true, session, otherwise)) = known.flatten() else { return };
    let Some(generator) = generator else { return };
    let at = places::waiting(generator, otherwise, place);
    log::with(py, |log| push_wait(log, session, (task, at), needs, asked));
}

fn push_wait(log: &mut Log, session: u32, (task, at): (u32, u32), needs: &[Need], asked: &[Asked]) {
    for &(item, source, key) in asked {
        ask_if_new(log, session, item, Step::Load { item, task, at, source, key });
    }
    if let [need] = *needs {
        log.push(session, Step::WaitForOne { task, at, need });
        return;
    }
    log.push_needs(session, needs);
    log.push(session, Step::Wait { task, at });
}

/// Returns whether somebody has asked for each of the items of a batch, of which there are so many.
pub(crate) fn are_asked_for(py: Python<'_>, batch: u32, count: u32) -> bool {
    log::with(py, |log| {
        let batch = log.batches.get(&batch)?;
        Some(u32::try_from(batch.asked.len()) == Ok(count) && !batch.asked.contains(&false))
    })
    .flatten()
    .unwrap_or(false)
}

/// Tells the observer that the code that runs waits for an item of a batch.
pub(crate) fn observe(py: Python<'_>, item: Item) {
    observer::asked(py, item.batch);
}

/// Asks for the items of a batch for which nobody has asked, in the recordings of those who have asked for others.
pub(crate) fn ask_for_rest(py: Python<'_>, item: Item, source: u32, key: u32) {
    log::with(py, |log| {
        if !is_new(log, item) {
            return;
        }
        let sessions = log.batches.get(&item.batch).map(|batch| batch.sessions.clone());
        let step = Step::Load { item, task: 0, at: 0, source, key };
        log.push_to_all(&sessions.unwrap_or_default(), &[step]);
    });
}

/// Returns whether somebody has asked for an item of a batch, and it is recorded.
pub(crate) fn is_asked_for(py: Python<'_>, batch: u32) -> bool {
    log::with(py, |log| log.batches.get(&batch).is_some_and(|batch| !batch.sessions.is_empty()))
        .unwrap_or(false)
}

fn is_new(log: &mut Log, item: Item) -> bool {
    let asked = &mut log.batches.entry(item.batch).or_default().asked;
    let Some(place) = usize::try_from(item.index).ok() else { return false };
    if asked.len() <= place {
        asked.resize(place + 1, false);
    }
    asked.get_mut(place).is_some_and(|asked| !std::mem::replace(asked, true))
}

fn ask_if_new(log: &mut Log, session: u32, item: Item, step: Step) {
    let batch = log.batches.entry(item.batch).or_default();
    let Some(place) = usize::try_from(item.index).ok() else { return };
    if batch.asked.len() == place {
        batch.asked.push(true);
    } else {
        if batch.asked.len() < place {
            batch.asked.resize(place + 1, false);
        }
        match batch.asked.get_mut(place) {
            Some(asked) if !*asked => *asked = true,
            _ => return,
        }
    }
    if !batch.sessions.contains(&session) {
        batch.sessions.push(session);
    }
    log.push(session, step);
}

fn ask(log: &mut Log, session: u32, item: Item, step: Step) {
    let batch = log.batches.entry(item.batch).or_default();
    if !batch.sessions.contains(&session) {
        batch.sessions.push(session);
    }
    log.push(session, step);
}

/// Way in which a loader gives a key its value.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    /// The key will be sent.
    New(Item),
    /// It is pending already.
    Shared(Item),
    /// The value is cached: there at once, or with those of a batch.
    Cached(Option<Item>),
}

/// Records that the code that runs asks a loader for a key. `task` is the number of its task, and `generator` that of
/// the task; `None` outside of tasks.
pub(crate) fn loads(
    py: Python<'_>,
    task: Option<u32>,
    generator: Option<&Bound<'_, PyAny>>,
    thread: u32,
    (source, key): (u32, u32),
    origin: Origin,
) {
    let is_of_coroutine = task.is_none();
    let (session, task) = if let Some(task) = task {
        (session_of(py, task), task)
    } else {
        let Some(session) = session::of_caller(py) else { return };
        (session, coroutines::current(py, session, thread).unwrap_or(0))
    };
    if session == 0 {
        return;
    }
    let place = generator.and_then(suspended_at);
    let known = place.and_then(|place| log::with(py, |log| log.loads.get(&place).copied())?);
    let at = known.unwrap_or_else(|| call_site(py, task, false));
    if let Some(place) = place.filter(|_| known.is_none())
        && running_at(py).is_some_and(|(code, _)| code == place.0)
    {
        log::with(py, |log| log.loads.insert(place, at));
    }
    if let Origin::New(item) | Origin::Shared(item) = origin {
        observer::asked(py, item.batch);
    }
    log::with(py, |log| match origin {
        Origin::New(item) => {
            is_new(log, item);
            ask(log, session, item, Step::Load { item, task, at, source, key });
            if is_of_coroutine && task != 0 {
                coroutines::note(log, task, Need::Item(item), at);
            }
        }
        Origin::Shared(of) => ask(log, session, of, Step::Shared { of, task, at, source, key }),
        Origin::Cached(item) => {
            if let Some(item) = item {
                is_new(log, item);
            }
            log.push(session, Step::Cached { item, task, at, source, key });
        }
    });
}
