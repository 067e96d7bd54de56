//! Hooks: what the rest of the crate calls when something happens, while something is recorded.
//!
//! Tasks have a number in the log, which is 0 for those that are not recorded. A hook never fails, and
//! changes nothing that the program can see.

use asynq_explain::Reason;
use pyo3::prelude::*;

use crate::explain::coroutines;
use crate::explain::log::{self, Code, Log};
use crate::explain::observer;
use crate::explain::places;
use crate::explain::session;
use crate::explain::step::{Item, Need, Step};
use crate::explain::tasks::Task;
use crate::ffi::frames::{code_of, code_of_generator, running_at, suspended_at};

/// A task that was created.
pub(crate) struct NewTask<'a, 'py> {
    /// Generator or coroutine that it runs, if it is there already.
    pub(crate) generator: Option<Bound<'py, PyAny>>,
    /// Function that was called.
    pub(crate) function: &'a Bound<'py, PyAny>,
    /// Number of the task that has created it; `None` outside of tasks.
    pub(crate) by: Option<u32>,
    /// Number of the scheduler.
    pub(crate) thread: u32,
    /// It is a synchronous call that has begun.
    pub(crate) is_call: bool,
}

impl<'py> NewTask<'_, 'py> {
    /// Returns the code that it runs.
    fn code(&self) -> Option<Bound<'py, PyAny>> {
        let of_generator = self.generator.as_ref().and_then(code_of_generator);
        of_generator.or_else(|| code_of(self.function))
    }

    /// Returns the address of that code, if it is there at once.
    #[inline]
    fn address(&self) -> Option<usize> {
        match &self.generator {
            Some(generator) => suspended_at(generator).map(|(code, _)| code),
            None => code_of(self.function).map(|code| code.as_ptr() as usize),
        }
    }
}

/// Records a task that was created. Returns its number.
pub(crate) fn created(py: Python<'_>, new: &NewTask<'_, '_>) -> u32 {
    let session = session::of_caller(py).or_else(|| session_of_origin(py, new.by));
    let Some(session) = session else { return 0 };
    if let Some(number) = created_at_known_place(py, session, new) {
        return number;
    }
    let by = match new.by {
        Some(by) => by,
        None => coroutines::current(py, session, new.thread).unwrap_or(0),
    };
    let is_sampled = log::with(py, |log| {
        if by != 0 && log.tasks.contains(by) {
            return true;
        }
        let Some(session) = log.session(session) else { return false };
        if new.by.is_some() { session.sampling >= 1.0 } else { session.samples() }
    });
    if is_sampled != Some(true) {
        return 0;
    }
    let (code, site, is_internal) = match &new.code() {
        Some(code) => places::definition(code),
        None => (0, places::definition_of_other(new.function), false),
    };
    let at = call_site(py, by, new.is_call);
    let place = running_at(py).filter(|_| by != 0 && !new.is_call);
    log::with(py, |log| {
        if let Some((code, position)) = place {
            log.last_creation = (code, position, by, at);
        }
        let contexts = log.tasks.get(by).map_or(0, |by| by.contexts);
        let is_of_coroutine = new.by.is_none() && by != 0;
        let task = Task { session, code, is_internal, at, contexts, is_of_coroutine };
        let id = add_task(log, task, site, by, new.thread);
        if is_of_coroutine {
            coroutines::note(log, by, Need::Task(id), at);
        }
        id
    })
    .unwrap_or(0)
}

/// Returns the session of the task that creates another one, or of those who wait for the request that is being sent:
/// batch functions run in the context of their definition.
#[cold]
fn session_of_origin(py: Python<'_>, by: Option<u32>) -> Option<u32> {
    log::with(py, |log| {
        let of_creator = by.and_then(|by| log.tasks.get(by)).map(|task| task.session);
        of_creator.or_else(|| log.batches.get(&log.sending)?.sessions.first().copied())
    })
    .flatten()
    .filter(|&session| session != 0)
}

/// Records a task that is created where its creator has created the one before. Returns `None` if it is another one.
#[inline]
fn created_at_known_place(py: Python<'_>, session: u32, new: &NewTask<'_, '_>) -> Option<u32> {
    let by = new.by.filter(|&by| by != 0)?;
    if new.is_call {
        return None;
    }
    let (code, (running, position)) = (new.address()?, running_at(py)?);
    log::with(py, |log| {
        let (last_running, last_position, last_by, at) = log.last_creation;
        if (last_running, last_position, last_by) != (running, position, by) {
            return None;
        }
        let contexts = log.tasks.get(by)?.contexts;
        let &Code { definition, is_internal, .. } = log.codes.get(&code)?;
        let task = Task { session, code, is_internal, at, contexts, is_of_coroutine: false };
        Some(add_task(log, task, definition, by, new.thread))
    })
    .flatten()
}

fn add_task(log: &mut Log, task: Task, site: u32, by: u32, thread: u32) -> u32 {
    let id = log::next_number();
    let Task { session, at, contexts, .. } = task;
    log.tasks.insert(id, task);
    let flush = if task.is_internal { std::mem::take(&mut log.sending) } else { 0 };
    log.push(session, Step::Task { id, thread, site, by, at, contexts, flush });
    id
}

/// Returns the site of the code that runs in a task; 0 outside of tasks.
fn call_site(py: Python<'_>, task: u32, only_task: bool) -> u32 {
    let running = running_at(py);
    let (known, at) = log::with(py, |log| {
        let task = *log.tasks.get(task)?;
        let (code, position) =
            running.filter(|&(code, _)| code == task.code && !task.is_internal)?;
        Some((task, log.sites_by_position.get(&(code, position, 0)).copied()))
    })
    .flatten()
    .unzip();
    if let Some(Some(at)) = at {
        return at;
    }
    let known = known.or_else(|| log::with(py, |log| log.tasks.get(task).copied())?);
    match known {
        Some(Task { code, is_internal, at, .. }) => {
            places::caller(py, code, is_internal, at, only_task)
        }
        None => places::caller(py, 0, false, 0, false),
    }
}

/// Records that a task runs.
#[cold]
pub(crate) fn runs(py: Python<'_>, task: u32) {
    log::with(py, |log| log.push_of(task, Step::Run { task }));
}

/// An item for which a task asks, maybe, by awaiting it, with the numbers of its source and key.
pub(crate) type Asked = (Item, u32, u32);

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

/// Records that a task has ended.
#[cold]
pub(crate) fn ends(py: Python<'_>, task: u32, error: Option<&PyErr>) {
    let error = error.map(|error| one_line(py, error));
    log::with(py, |log| {
        let text = error.map_or(0, |error| log.text(&error));
        log.push_of(task, Step::End { task, text });
        let ended = log.tasks.remove(task).filter(|task| task.is_of_coroutine);
        if let Some(session) = ended.and_then(|ended| log.session(ended.session)) {
            session.last_ended = Some(Need::Task(task));
        }
    });
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

/// Returns an error in one line.
pub(crate) fn one_line(py: Python<'_>, error: &PyErr) -> String {
    const MAX: usize = 200;
    let class = error.get_type(py);
    let class = class.qualname().map_or_else(|_| String::new(), |name| name.to_string());
    let text = error.value(py).str().map_or_else(|_| String::new(), |text| text.to_string());
    let text = text.lines().next().unwrap_or_default();
    let text: String = text.chars().take(MAX).collect();
    if text.is_empty() { class } else { format!("{class}: {text}") }
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

/// A request that is sent.
pub(crate) struct Request<'a> {
    /// Number of the request: that of a batch of the user, another one for a part of those of a loader.
    pub(crate) number: u32,
    pub(crate) source: u32,
    /// Number of the scheduler.
    pub(crate) thread: u32,
    /// Number of synchronous calls in progress.
    pub(crate) depth: usize,
    pub(crate) items: &'a [Item],
    /// Reason, if it is not that of the flushes that are made now.
    pub(crate) reason: Option<Reason>,
}

/// Records that a request is sent.
pub(crate) fn sent(py: Python<'_>, request: &Request<'_>) {
    let &Request { number, source, thread, depth, items, reason } = request;
    if observer::is_set() {
        let mut batches: Vec<_> = items.iter().map(|item| item.batch).collect();
        batches.dedup();
        let reason = reason.or_else(|| self::reason(py)).unwrap_or_default();
        observer::sent(py, (number, source), items.len(), reason, batches);
    }
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    log::with(py, |log| {
        let mut sessions: Vec<u32> = Vec::new();
        let mut text = 0;
        for item in items {
            let Some(batch) = log.batches.get(&item.batch) else { continue };
            text = if text == 0 { batch.priority } else { text };
            for &session in &batch.sessions {
                if !sessions.contains(&session) {
                    sessions.push(session);
                }
            }
        }
        if text == 0 {
            text = log.text(&format!("(0, {})", items.len()));
        }
        let reason = reason.unwrap_or(log.reason);
        let mut steps = sent_items(items);
        steps.push(Step::Sent { batch: number, thread, source, depth, text, reason });
        log.push_to_all(&sessions, &steps);
        log.batches.entry(number).or_default().sessions = sessions;
    });
}

/// Sets the number of the request whose batch function is called next, which may create a task for it; 0 afterwards.
pub(crate) fn set_sending(py: Python<'_>, number: u32) {
    log::with(py, |log| log.sending = number);
}

/// Returns the steps that tell the items of a request, which mostly follow each other in their batch.
fn sent_items(items: &[Item]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for &item in items {
        if let Some(Step::SentItems { first, count }) = steps.last_mut()
            && first.batch == item.batch
            && first.index + *count == item.index
        {
            *count += 1;
        } else {
            steps.push(Step::SentItems { first: item, count: 1 });
        }
    }
    steps
}

/// Records that a request is answered: so many keys have failed, or the whole request.
pub(crate) fn answered(py: Python<'_>, number: u32, failed: u32, error: Option<&PyErr>) {
    let error = error.map(|error| one_line(py, error));
    observer::answered(py, number, failed, error.as_deref());
    let batch = log::with(py, |log| {
        let text = error.map_or(0, |error| log.text(&error));
        let batch = log.batches.remove(&number)?;
        log.push_to_all(&batch.sessions, &[Step::Answer { batch: number, failed, text }]);
        Some(batch)
    });
    drop(batch);
}

/// Forgets a batch whose items have their values.
pub(crate) fn resolved(py: Python<'_>, batch: u32) {
    observer::resolved(py, batch);
    let batch = log::with(py, |log| {
        let batch = log.batches.remove(&batch)?;
        if let Some(item) = batch.of_coroutine {
            for &session in &batch.sessions {
                if let Some(session) = log.session(session) {
                    session.last_ended = Some(Need::Item(item));
                }
            }
        }
        Some(batch)
    });
    drop(batch);
}

/// Sets the reason of the flushes until the guard is dropped.
#[must_use]
pub(crate) struct Because<'py> {
    py: Python<'py>,
    before: Option<Reason>,
}

impl<'py> Because<'py> {
    /// Sets the reason, if something is recorded.
    pub(crate) fn of(py: Python<'py>, reason: impl FnOnce() -> Reason) -> Self {
        let before = if log::is_on() {
            let reason = reason();
            log::with(py, |log| std::mem::replace(&mut log.reason, reason))
        } else {
            None
        };
        Self { py, before }
    }
}

impl Drop for Because<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            log::with(self.py, |log| log.reason = before);
        }
    }
}

/// Returns the reason of the flushes that are made now.
pub(crate) fn reason(py: Python<'_>) -> Option<Reason> {
    log::with(py, |log| log.reason)
}

/// Sets the text of the priority of a batch.
pub(crate) fn set_priority(py: Python<'_>, batch: u32, priority: &Bound<'_, PyAny>) {
    let text = priority.repr().map_or_else(|_| String::new(), |text| text.to_string());
    log::with(py, |log| {
        let text = log.text(&text);
        log.batches.entry(batch).or_default().priority = text;
    });
}

/// Records that a synchronous call of `root` begins in the code of `task` (`None` outside of tasks).
pub(crate) fn calls(py: Python<'_>, root: u32, task: Option<u32>, thread: u32, depth: usize) {
    if root == 0 {
        return;
    }
    let task = task.unwrap_or(0);
    let at = if task == 0 { 0 } else { call_site(py, task, true) };
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    log::with(py, |log| log.push_of(root, Step::Call { thread, root, task, at, depth }));
}

/// Returns the session of a task.
pub(crate) fn session_of(py: Python<'_>, task: u32) -> u32 {
    log::with(py, |log| log.tasks.get(task).map_or(0, |task| task.session)).unwrap_or(0)
}

/// Records that a synchronous call ends which a session has recorded. So many are in progress still.
pub(crate) fn returns(py: Python<'_>, session: u32, thread: u32, depth: usize) {
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    log::with(py, |log| log.push(session, Step::Return { thread, depth }));
}

/// Records that a task enters or leaves a context.
#[cold]
pub(crate) fn switches(py: Python<'_>, task: u32, context: &Bound<'_, PyAny>, enters: bool) {
    let name = crate::imports::type_name(context);
    log::with(py, |log| {
        let text = log.text(&name);
        let Some(contexts) = log.tasks.get(task).map(|task| task.contexts) else { return };
        let mut names: Vec<&str> = log.text_of(contexts).unwrap_or_default().lines().collect();
        if enters {
            names.push(&name);
        } else if let Some(place) = names.iter().rposition(|other| *other == name) {
            names.remove(place);
        }
        let names = names.join("\n");
        let contexts = log.text(&names);
        if let Some(task) = log.tasks.get_mut(task) {
            task.contexts = contexts;
        }
        let step = if enters { Step::Enter { task, text } } else { Step::Leave { task, text } };
        log.push_of(task, step);
    });
}
