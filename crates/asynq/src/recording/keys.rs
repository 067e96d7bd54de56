//! The hooks of sources and loaders: the keys that are asked for, and the batches of loaders.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use asynq_engine::ItemId;
use asynq_explain::{How, Keys, Reason};
use asynq_loader::PartId;
use foldhash::quality::FixedState;
use slotmap::Key;

use super::batch_log::KeyAsked;
use super::functions;
use super::hooks;
use super::logs::each;
use super::session::{Loaded, Part, Session};
use super::step::{Place, Step};
use super::thread_log::small;

thread_local! {
    /// Properties of the item that is created next.
    static ASKED: RefCell<Option<Asked>> = const { RefCell::new(None) };
}

/// Origin of the value of a key of a loader.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    New,
    /// The key is pending already, in a batch in flight if there is one.
    Shared(Option<PartId>),
    /// Another load of the key has not taken its value yet.
    Answered,
    Cached,
}

/// Key that is asked for.
pub(crate) enum Asked {
    /// A key of a source.
    Key { at: Place, hash: Option<u64>, text: Option<String> },
    /// A key of a loader, by the ids of both, which has reported it.
    Loaded { loader: u64, key: u64, is_cached: bool },
}

impl Asked {
    /// Describes a key of a source, whose type need not be comparable: those of usual types are.
    #[inline]
    pub(crate) fn any(at: Place, key: &dyn Any) -> Self {
        macro_rules! usual {
            ($($usual:ty),*) => {$(
                if let Some(key) = key.downcast_ref::<$usual>() {
                    return Self::key(at, key);
                }
            )*};
        }
        usual!(
            u64,
            u32,
            i32,
            i64,
            usize,
            String,
            &'static str,
            u16,
            i16,
            u8,
            i8,
            u128,
            i128,
            isize
        );
        usual!((u32, u32), (u64, u64), (i64, i64), (usize, usize), (String, String), Vec<u8>);
        Self::Key { at, hash: None, text: None }
    }

    /// Describes a key.
    pub(crate) fn key<K: Hash + fmt::Debug>(at: Place, key: &K) -> Self {
        let mut keys = Keys::Count;
        each(|log| {
            if log.session.keys != Keys::Count {
                keys = log.session.keys;
            }
        });
        let hash = Some(FixedState::default().hash_one(key));
        Self::Key { at, hash, text: keys.text(|| format!("{key:?}")) }
    }
}

/// Says what the item is asked for that is created next.
#[cold]
pub(crate) fn asked(asked: Asked) {
    ASKED.set(Some(asked));
}

/// Records an item. `name` and `place` are those of its source.
#[cold]
pub(crate) fn add_item(
    item: ItemId,
    name: impl FnOnce() -> String,
    place: Place,
    is_recorded: bool,
) {
    let asked = ASKED.take();
    if let Some(Asked::Loaded { loader, key, is_cached }) = asked {
        return each(|log| log.join_load(item, (loader, key), is_cached));
    }
    if !is_recorded {
        return each(|log| log.ignore(item));
    }
    let mut is_known = true;
    each(|log| is_known &= log.knows_source(item.batch));
    if !is_known {
        let name = name();
        each(|log| log.set_source(item.batch, &name, place));
    }
    let (at, hash, text) = match asked {
        Some(Asked::Key { at, hash, text }) => (Some(at), hash, text),
        Some(Asked::Loaded { .. }) | None => (None, None, None),
    };
    each(|log| {
        let text = text.as_deref();
        log.add_item(item, KeyAsked { at, hash, text, how: How::New, of: 0 });
    });
}

/// Notes that the item which is created next waits for a key of a loader.
#[inline]
pub(crate) fn join_load(loader: u64, key: impl Key, is_cached: bool) {
    if super::is_on() {
        asked(Asked::Loaded { loader, key: key.data().as_ffi(), is_cached });
    }
}

/// Records the load of a key of a loader.
#[cold]
pub(crate) fn loaded(
    (loader, key): (u64, impl Key),
    name: impl Fn() -> String,
    place: Place,
    asked: Asked,
    origin: Origin,
) {
    let Asked::Key { at, hash, text } = asked else { return };
    let key = (loader, key.data().as_ffi());
    let how = match origin {
        Origin::New => How::New,
        Origin::Shared(_) | Origin::Answered => How::Shared,
        Origin::Cached => How::Cached,
    };
    each(|log| {
        if !log.samples() {
            return;
        }
        let session = Arc::clone(&log.session);
        let source = log.loader(loader, &name, place);
        let of = session.state().loads.get(&key).map(|load| load.id);
        // The other load is not recorded: it was before, or on another thread.
        let how = if how == How::Shared && of.is_none() { How::New } else { how };
        let of_shared = if how == How::Shared { of.unwrap_or_default() } else { 0 };
        let text = text.as_deref();
        let asked = KeyAsked { at: Some(at), hash, text, how, of: of_shared };
        let (id, at) = log.load(source, asked);
        let asked_for = Loaded { id, at, is_awaited: false };
        {
            let mut state = session.state();
            if of.is_none() {
                state.loads.insert(key, asked_for);
            }
            if !log.runs_task()
                && let Some(&(number, _)) = log.requests.last()
                && let Some(request) = state.requests.get_mut(&number)
            {
                request.loads.push((key, id));
            }
        }
        let elsewhere = match origin {
            Origin::Shared(Some(part)) => Some((loader, part.data().as_ffi())),
            Origin::Answered => None,
            Origin::Shared(None) | Origin::New | Origin::Cached => return,
        };
        if of.is_some() {
            return;
        }
        // It takes a round, as if this thread were alone.
        let batch = log.new_id();
        let (thread, loads) = (log.thread(), Box::from([id]));
        log.clock.read(&session);
        log.push(Step::Sent {
            batch,
            thread,
            source,
            loads,
            keys: 1,
            priority: 0,
            reason: Reason::Idle,
            call: None,
        });
        let mut state = session.state();
        if let Some(part) = elsewhere {
            state.parts.entry(part).or_default().push(Part { batch, keys: vec![key], task: None });
            return;
        }
        state.loads.remove(&key);
        state.answered.insert(key, asked_for);
        drop(state);
        session.note_answered();
        log.push(Step::Answer { batch, failed: 0, error: 0 });
    });
}

/// Records that a load of a loader has got its value.
#[inline]
pub(crate) fn taken((loader, key): (u64, impl Key)) {
    if super::is_on() {
        take((loader, key.data().as_ffi()));
    }
}

#[cold]
fn take(key: (u64, u64)) {
    each(|log| {
        if log.session.has_answered() {
            log.take_load(key);
        }
    });
}

/// A batch of a loader that is sent.
pub(crate) struct Sent<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: Place,
    pub(crate) priority: i64,
    pub(crate) is_full: bool,
}

/// Records a batch of a loader, which is sent on this thread. Its keys are `entries`.
pub(crate) fn sent<K: Key>((loader, part): (u64, impl Key), entries: &[K], sent: &Sent<'_>) {
    for session in Session::all() {
        let (mut thread, mut reason, mut is_here) = (0, Reason::Idle, false);
        each(|log| {
            if Arc::ptr_eq(&log.session, &session) {
                (thread, reason, is_here) = (log.thread(), log.reason(), true);
            }
        });
        let mut state = session.state();
        let keys: Vec<_> = entries.iter().map(|entry| (loader, entry.data().as_ffi())).collect();
        let load = |key| state.loads.get(key).map(|load| load.id);
        let loads: Box<[u32]> = keys.iter().filter_map(load).collect();
        if loads.is_empty() {
            continue;
        }
        let batch = session.new_ids().start;
        let source = state.loader(loader, sent.name, sent.place);
        state.parts.entry((loader, part.data().as_ffi())).or_default().push(Part {
            batch,
            keys,
            task: None,
        });
        let step = Step::Sent {
            batch,
            thread,
            source,
            loads,
            keys: small(entries.len()),
            priority: sent.priority,
            reason: if sent.is_full { Reason::Full } else { hooks::reason().unwrap_or(reason) },
            call: None,
        };
        if !is_here {
            state.add_step(session.now(), step);
            continue;
        }
        drop(state);
        let mut step = Some(step);
        each(|log| {
            if Arc::ptr_eq(&log.session, &session)
                && let Some(step) = step.take()
            {
                log.clock.read(&session);
                log.push(step);
            }
        });
    }
}

/// Records the end of a batch of a loader, with the number of its keys that failed and its own error.
pub(crate) fn answered(
    (loader, part): (u64, impl Key),
    failures: impl FnOnce() -> (usize, Option<String>),
) {
    let sessions = Session::all();
    if sessions.is_empty() {
        return;
    }
    let (failed, error) = failures();
    for session in sessions {
        let mut state = session.state();
        let (batches, tasks) = state.end_part((loader, part.data().as_ffi()));
        if !state.answered.is_empty() {
            session.note_answered();
        }
        let error = error.as_ref().map_or(0, |error| state.text(error));
        let mut is_here = false;
        drop(state);
        if !tasks.is_empty() {
            functions::end_tasks(&session, &tasks);
        }
        each(|log| {
            if Arc::ptr_eq(&log.session, &session) && !std::mem::replace(&mut is_here, true) {
                log.clock.read(&session);
                for &batch in &batches {
                    log.push(Step::Answer { batch, failed: small(failed), error });
                }
            }
        });
        if !is_here {
            let mut state = session.state();
            for batch in batches {
                state.add_step(session.now(), Step::Answer { batch, failed: small(failed), error });
            }
        }
    }
}
