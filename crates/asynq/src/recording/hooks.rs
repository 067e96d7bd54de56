//! The hooks of recordings, which are called where something happens that is no event of the engine.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::Hash;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asynq_engine::ItemId;
use asynq_explain::{BatchAnswered, BatchSent, Event, How, Keys, Reason, hash_key};
use asynq_loader::PartId;
use slotmap::Key;

use super::program::Share;
use super::session::{Part, Session};
use super::translator::{Elsewhere, KeyAsked, Translator};

thread_local! {
    /// True if something of this thread is recorded; `None` before anybody has asked.
    static IS_ON: Cell<Option<bool>> = const { Cell::new(None) };
    /// The part of this thread in the recording of the program.
    static PROGRAM: RefCell<Option<(Rc<RefCell<Translator>>, Share)>> = const { RefCell::new(None) };
    static TRANSLATORS: RefCell<Vec<Weak<RefCell<Translator>>>> = const { RefCell::new(Vec::new()) };
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
    Key { at: &'static Location<'static>, hash: Option<u64>, text: Option<String> },
    /// A key of a loader, by the ids of both, which has reported it.
    Loaded { loader: u64, key: u64, is_cached: bool },
}

/// Records this thread as long as the result lives, which gets the events of its scheduler.
pub(crate) fn attach(session: Arc<Session>) -> impl FnMut(&crate::debug::Event) {
    is_on();
    listener(add_translator(session))
}

fn add_translator(session: Arc<Session>) -> Rc<RefCell<Translator>> {
    let translator = Rc::new(RefCell::new(Translator::new(session)));
    TRANSLATORS.with_borrow_mut(|translators| translators.push(Rc::downgrade(&translator)));
    IS_ON.set(Some(true));
    translator
}

fn listener(translator: Rc<RefCell<Translator>>) -> impl FnMut(&crate::debug::Event) {
    move |event| translator.borrow_mut().report(event)
}

/// Returns the listener of a new scheduler, if the program is recorded.
pub(crate) fn program_listener() -> Option<impl FnMut(&crate::debug::Event)> {
    is_on();
    let program = PROGRAM.try_with(|program| Some(Rc::clone(&program.borrow().as_ref()?.0)));
    program.ok().flatten().map(listener)
}

/// Returns whether something of this thread is recorded.
#[inline]
pub(crate) fn is_on() -> bool {
    // A thread that ends may still drop tasks.
    let is_on = IS_ON.try_with(Cell::get).unwrap_or(Some(false));
    is_on.unwrap_or_else(find_program)
}

#[cold]
fn find_program() -> bool {
    IS_ON.set(Some(false));
    if let Some((share, session)) = Share::new() {
        PROGRAM.set(Some((add_translator(session), share)));
    }
    IS_ON.get() == Some(true)
}

fn each(mut f: impl FnMut(&mut Translator)) {
    let mut index = 0;
    loop {
        let next = TRANSLATORS.with_borrow(|translators| translators.get(index).map(Weak::upgrade));
        match next {
            // A hook inside of a report is code of a listener.
            Some(Some(translator)) => {
                if let Ok(mut translator) = translator.try_borrow_mut() {
                    f(&mut translator);
                }
                index += 1;
            }
            Some(None) => {
                TRANSLATORS.with_borrow_mut(|translators| translators.remove(index));
            }
            None => break,
        }
    }
    IS_ON.set(Some(index > 0));
}

/// Notes the place of an await that has to wait.
#[cold]
pub(crate) fn awaited(at: &'static Location<'static>) {
    each(|translator| translator.awaited = Some(at));
}

/// Says what the item is asked for that is created next.
#[cold]
pub(crate) fn asked(asked: Asked) {
    ASKED.set(Some(asked));
}

impl Asked {
    /// Describes a key of a source, whose type need not be comparable: those of usual types are.
    pub(crate) fn any(at: &'static Location<'static>, key: &dyn Any) -> Self {
        macro_rules! usual {
            ($($usual:ty),*) => {$(
                if let Some(key) = key.downcast_ref::<$usual>() {
                    return Self::key(at, key);
                }
            )*};
        }
        usual!(
            u32,
            u64,
            i32,
            i64,
            usize,
            u16,
            i16,
            u8,
            i8,
            u128,
            i128,
            isize,
            String,
            &'static str
        );
        usual!((u32, u32), (u64, u64), (i64, i64), (usize, usize), (String, String), Vec<u8>);
        Self::Key { at, hash: None, text: None }
    }

    /// Describes a key.
    pub(crate) fn key<K: Hash + fmt::Debug>(at: &'static Location<'static>, key: &K) -> Self {
        let mut keys = Keys::Count;
        each(|translator| {
            if translator.session.keys != Keys::Count {
                keys = translator.session.keys;
            }
        });
        let hash = Some(hash_key(key));
        Self::Key { at, hash, text: keys.text(|| format!("{key:?}")) }
    }
}

/// Records an item. `name` and `at` are those of its source.
#[cold]
pub(crate) fn add_item(
    item: ItemId,
    name: &str,
    place: &'static Location<'static>,
    is_recorded: bool,
) {
    let asked = ASKED.take();
    let item = (number(item.batch), item.index);
    match asked {
        None if !is_recorded => each(|translator| translator.ignore(item.0)),
        Some(Asked::Key { .. }) if !is_recorded => each(|translator| translator.ignore(item.0)),
        Some(Asked::Loaded { loader, key, is_cached }) => {
            each(|translator| translator.join_load(item, (loader, key), is_cached));
        }
        Some(Asked::Key { at, hash, text }) => each(|translator| {
            let text = text.clone();
            let key = KeyAsked { at: Some(at), hash, text, how: How::New, of: None };
            translator.add_item(item, (name, place), key);
        }),
        None => each(|translator| {
            let key = KeyAsked { at: None, hash: None, text: None, how: How::New, of: None };
            translator.add_item(item, (name, place), key);
        }),
    }
}

/// Notes that the item which is created next waits for a key of a loader.
#[inline]
pub(crate) fn join_load(loader: u64, key: impl Key, is_cached: bool) {
    if is_on() {
        asked(Asked::Loaded { loader, key: key.data().as_ffi(), is_cached });
    }
}

/// Records the load of a key of a loader.
#[cold]
pub(crate) fn loaded(
    (loader, key): (u64, impl Key),
    name: &str,
    place: &'static Location<'static>,
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
    let elsewhere = match origin {
        Origin::Shared(Some(part)) => Elsewhere::Sent((loader, part.data().as_ffi())),
        Origin::Answered => Elsewhere::Answered,
        Origin::Shared(None) | Origin::New | Origin::Cached => Elsewhere::Unsent,
    };
    each(|translator| {
        let text = text.clone();
        let asked = KeyAsked { at: Some(at), hash, text, how, of: None };
        translator.add_load(key, (name, place), asked, elsewhere);
    });
}

/// A request outside of tasks, which is recorded as a task.
#[derive(Clone, Copy)]
pub(crate) struct RecordedRequest {
    number: u64,
    /// Place where it was made; `None` for one that is not recorded.
    at: Option<&'static Location<'static>>,
}

impl RecordedRequest {
    /// One of this crate, which users do not know.
    pub(crate) const NONE: Self = Self { number: 0, at: None };

    pub(crate) fn new(at: &'static Location<'static>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self { number: LAST.fetch_add(1, Ordering::Relaxed), at: Some(at) }
    }

    /// Records that the request is polled.
    #[inline]
    pub(crate) fn begin_poll(&self) {
        if let Some(at) = self.at
            && is_on()
        {
            each(|translator| translator.begin_request(self.number, at));
        }
    }

    /// Records that the request waits, or has ended.
    #[inline]
    pub(crate) fn end_poll(&self, has_ended: bool) {
        if self.at.is_some() && is_on() {
            each(|translator| translator.end_request(self.number, has_ended));
        }
    }
}

/// Records that a load of a loader has got its value.
#[inline]
pub(crate) fn taken((loader, key): (u64, impl Key)) {
    if is_on() {
        each(|translator| translator.take_load((loader, key.data().as_ffi())));
    }
}

/// Records a batch of a loader, which is sent on this thread. Its keys are `entries`.
pub(crate) fn sent<K: Key>(
    (loader, part): (u64, impl Key),
    name: &str,
    place: &'static Location<'static>,
    entries: &[K],
    is_full: bool,
) {
    for session in Session::all() {
        let (mut thread, mut reason) = (0, Reason::Idle);
        each(|translator| {
            if Arc::ptr_eq(&translator.session, &session) {
                (thread, reason) = (translator.thread(), translator.reason());
            }
        });
        let mut state = session.state();
        let keys: Vec<_> = entries.iter().map(|entry| (loader, entry.data().as_ffi())).collect();
        let loads: Vec<_> = keys.iter().filter_map(|key| Some(state.loads.get(key)?.id)).collect();
        if loads.is_empty() {
            continue;
        }
        let t = session.now();
        let batch = state.recorder.next_id();
        let source = state.source(name, place);
        let parts = state.parts.entry((loader, part.data().as_ffi())).or_default();
        parts.push(Part { batch, keys });
        state.record(Event::Flush(BatchSent {
            t,
            batch,
            thread,
            source,
            loads,
            keys: u64::try_from(entries.len()).unwrap_or_default(),
            priority: None,
            reason: if is_full { Reason::Full } else { reason },
            call: None,
        }));
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
    let failed = u64::try_from(failed).unwrap_or_default();
    for session in sessions {
        let mut state = session.state();
        let parts = state.parts.remove(&(loader, part.data().as_ffi())).unwrap_or_default();
        let t = session.now();
        for Part { batch, keys } in parts {
            for key in keys {
                if let Some(load) = state.loads.remove(&key)
                    && !load.is_awaited
                {
                    state.answered.insert(key, load);
                }
            }
            let error = error.clone();
            state.record(Event::Answer(BatchAnswered { t, batch, failed, error }));
        }
    }
}

/// Returns the index of an object in the engine, as events name it.
fn number(id: impl Key) -> u64 {
    id.data().as_ffi() & u64::from(u32::MAX)
}
