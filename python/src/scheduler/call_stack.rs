//! The call stack of a thread: the tasks and synchronous calls whose code is running.

use std::cell::{Cell, RefCell};
use std::mem;

use pyo3::prelude::*;

use crate::call::args::Args;
use crate::ffi::arguments::Activation;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::unowned::Unowned;
use crate::task::async_task::{AsyncTask, Origin};
use crate::task::body::Body;

/// One entry of the stack.
struct StackEntry {
    code: Code,
    /// The engine knows that this is running.
    framed: bool,
    /// A call that this has made is being driven.
    waiting: bool,
}

/// The code that is running.
enum Code {
    /// A step of a task.
    Step(Unowned<AsyncTask>),
    /// A synchronous call. It becomes a task only if somebody asks for that, or if it has to wait: most
    /// calls end before.
    Call(Activation),
    /// A synchronous call that is a task.
    Task(Py<AsyncTask>),
    /// A synchronous call that becomes a task right now.
    Unfinished,
}

impl StackEntry {
    /// Returns the task, unless the entry is a call that is none.
    #[inline]
    fn task<'py>(&self, py: Python<'py>) -> Option<Bound<'py, AsyncTask>> {
        match &self.code {
            Code::Step(task) => Some(task.get(py)),
            Code::Task(task) => Some(task.bind(py).clone()),
            Code::Call(_) | Code::Unfinished => None,
        }
    }

    fn is_task(&self) -> bool {
        matches!(self.code, Code::Step(_) | Code::Task(_))
    }
}

/// The stack, the innermost last.
#[derive(Default)]
pub(crate) struct CallStack {
    entries: RefCell<Vec<StackEntry>>,
    /// Number of the scheduler.
    scheduler_id: Cell<u32>,
}

impl CallStack {
    /// Creates the stack of the scheduler with this number.
    pub(crate) fn of(scheduler_id: u32) -> Self {
        Self { scheduler_id: Cell::new(scheduler_id), ..Self::default() }
    }

    /// Adds a task that the engine runs, until the guard is dropped.
    #[inline]
    pub(crate) fn push_task<'a>(&'a self, task: &'a Bound<'_, AsyncTask>) -> Running<'a> {
        let code = Code::Step(Unowned::new(task));
        self.push(StackEntry { code, framed: true, waiting: false })
    }

    /// Adds a function that is called synchronously. Its code holds what the activation refers to as long
    /// as the entry is here.
    #[inline]
    pub(crate) fn push_call(&self, call: Activation) -> Running<'_> {
        self.push(StackEntry { code: Code::Call(call), framed: false, waiting: false })
    }

    #[inline]
    fn push(&self, entry: StackEntry) -> Running<'_> {
        let mut entries = self.entries.borrow_mut();
        let depth = entries.len();
        entries.push(entry);
        Running { stack: self, depth }
    }

    /// Removes the innermost call, which has ended.
    ///
    /// # Errors
    ///
    /// If it has become a task, which the caller has to end: whether the engine knows that it is
    /// running. Then the entry stays.
    #[inline]
    pub(crate) fn pop_unasked(&self) -> Result<(), bool> {
        let mut entries = self.entries.borrow_mut();
        if let Some(top) = entries.last()
            && top.is_task()
        {
            return Err(top.framed);
        }
        entries.pop();
        Ok(())
    }

    /// Returns whether the code of one task is running, and nothing that it has called synchronously.
    pub(crate) fn is_one_task(&self) -> bool {
        let entries = self.entries.borrow();
        matches!(&entries[..], [StackEntry { code: Code::Step(_), waiting: false, .. }])
    }

    /// Returns whether no code of an async function is running.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// Sets the number of the scheduler.
    pub(crate) fn set_scheduler(&self, scheduler_id: u32) {
        self.scheduler_id.set(scheduler_id);
    }

    /// Removes all entries.
    pub(crate) fn clear(&self) {
        let before = self.entries.take();
        drop(before);
    }

    /// Returns the task whose code runs now: the innermost call becomes one.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    #[inline]
    pub(crate) fn task<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        match self.entries.borrow().last().map(|entry| entry.task(py)) {
            None => return Ok(None),
            Some(Some(task)) => return Ok(Some(task)),
            Some(None) => {}
        }
        self.make_tasks(py)
    }

    /// Makes tasks of the calls that are none, and returns that of the innermost.
    #[cold]
    fn make_tasks<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        // The creator of a task is the call around it, which becomes a task first.
        let start = self.entries.borrow().iter().rposition(StackEntry::is_task).unwrap_or(0);
        let mut innermost = None;
        for index in start.. {
            // Each time anew: making a task may run code, which uses this stack.
            let call = match self.entries.borrow_mut().get_mut(index) {
                Some(entry) => match mem::replace(&mut entry.code, Code::Unfinished) {
                    Code::Call(call) => call,
                    other => {
                        entry.code = other;
                        // If it is no task, that code runs right now, inside of `into_task`.
                        innermost = entry.task(py);
                        continue;
                    }
                },
                None => break,
            };
            let task = into_task(&call, py, innermost.as_ref(), self.scheduler_id.get())?;
            if let Some(entry) = self.entries.borrow_mut().get_mut(index) {
                entry.code = Code::Task(task.clone().unbind());
            }
            innermost = Some(task);
        }
        Ok(innermost)
    }

    /// Returns the outermost synchronous call as a task, if there is one.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn outermost_call<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        self.task(py)?; // Now each of them is a task.
        let entries = self.entries.borrow();
        let outermost = entries.iter().find(|entry| !matches!(entry.code, Code::Step(_)));
        Ok(outermost.and_then(|entry| entry.task(py)))
    }

    /// Returns whether the code of the innermost is running: not that of a flush or a hook in a call that
    /// it has made.
    pub(crate) fn runs_code(&self) -> bool {
        self.entries.borrow().last().is_some_and(|entry| !entry.waiting)
    }

    /// Sets the code of the innermost call: its function has returned a coroutine.
    pub(crate) fn set_coroutine(&self, coroutine: &Bound<'_, PyAny>) {
        match self.entries.borrow_mut().last_mut().map(|entry| &mut entry.code) {
            Some(Code::Call(call)) => call.set_generator(coroutine),
            Some(Code::Task(task)) => {
                task.bind(coroutine.py()).state().body = Body::of_generator(coroutine.clone());
            }
            _ => {}
        }
    }

    /// Returns whether the innermost is a call that the engine does not know of, and its own code is
    /// running: not that of a flush or a hook in a call that it has made.
    pub(crate) fn is_unframed(&self) -> bool {
        self.entries.borrow().last().is_some_and(|entry| !entry.framed && !entry.waiting)
    }

    /// Notes that a call that the innermost has made is being driven, until the guard is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let mut entries = self.entries.borrow_mut();
        let depth = entries.len();
        let before = entries.last_mut().is_some_and(|top| mem::replace(&mut top.waiting, true));
        Waiting { stack: self, depth, before }
    }

    /// Notes that the engine knows that the innermost is running.
    pub(crate) fn set_framed(&self) {
        if let Some(entry) = self.entries.borrow_mut().last_mut() {
            entry.framed = true;
        }
    }
}

/// Keeps an entry on the stack: dropping this removes it and whatever is above it.
pub(crate) struct Running<'a> {
    stack: &'a CallStack,
    depth: usize,
}

impl Running<'_> {
    /// Forgets the entry, which was removed already.
    #[inline]
    pub(crate) fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        let mut entries = self.stack.entries.borrow_mut();
        match entries.last() {
            Some(top) if entries.len() == self.depth + 1 && matches!(top.code, Code::Step(_)) => {
                entries.pop();
            }
            _ if entries.len() <= self.depth => {}
            _ => {
                // A call that is a task, or those that a panic has left above it.
                let removed = entries.split_off(self.depth);
                drop(entries);
                drop(removed);
            }
        }
    }
}

/// Marks an entry that waits for a call; dropping this restores it.
pub(crate) struct Waiting<'a> {
    stack: &'a CallStack,
    depth: usize,
    before: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut entries = self.stack.entries.borrow_mut();
        if let Some(entry) = self.depth.checked_sub(1).and_then(|top| entries.get_mut(top)) {
            entry.waiting = self.before;
        }
    }
}

/// Makes a task of a call that is running.
fn into_task<'py>(
    call: &Activation,
    py: Python<'py>,
    creator: Option<&Bound<'py, AsyncTask>>,
    scheduler_id: u32,
) -> PyResult<Bound<'py, AsyncTask>> {
    let (function, args, generator) = call.get(py);
    let kwargs = args.keywords()?;
    let args = Args::new(None, args.positional());
    let body = generator.map_or(Body::Ended, Body::of_generator);
    // It runs in the context of its caller.
    let creator = creator.cloned();
    let origin = Origin { creator, snapshot: None, scheduler_id, is_call: true };
    let task = AsyncTask::create(py, body, function, args, kwargs, origin, false)?;
    task.header().running.set(true);
    task.header().steps.set(1);
    Ok(task)
}
