//! Hooks of tasks, synchronous calls and contexts.

use pyo3::prelude::*;

use crate::explain::coroutines;
use crate::explain::log::{self, Code, Log};
use crate::explain::places;
use crate::explain::session;
use crate::explain::step::{Need, Step};
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
pub(super) fn call_site(py: Python<'_>, task: u32, only_task: bool) -> u32 {
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

/// Returns an error in one line.
pub(super) fn one_line(py: Python<'_>, error: &PyErr) -> String {
    const MAX: usize = 200;
    let class = error.get_type(py);
    let class = class.qualname().map_or_else(|_| String::new(), |name| name.to_string());
    let text = error.value(py).str().map_or_else(|_| String::new(), |text| text.to_string());
    let text = text.lines().next().unwrap_or_default();
    let text: String = text.chars().take(MAX).collect();
    if text.is_empty() { class } else { format!("{class}: {text}") }
}
