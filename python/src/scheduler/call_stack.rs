//! The call stack of a thread: the tasks and synchronous calls whose code is running.

use std::cell::RefCell;

use pyo3::prelude::*;

use crate::call::args::Args;
use crate::ffi::arguments::Activation;
use crate::ffi::gil_cell::TakeState;
use crate::task::async_task::{AsyncTask, Origin};
use crate::task::body::Body;

/// One entry of the stack. A synchronous call is a task only if somebody asks for that task, or if
/// it has to wait: most calls end before.
struct StackEntry {
    task: Option<Py<AsyncTask>>,
    /// The call, until it is a task.
    call: Option<Activation>,
    /// The engine knows that this is running.
    framed: bool,
    /// A call that this has made is being driven.
    waiting: bool,
    /// It is a step of a task, and no synchronous call.
    is_step: bool,
}

/// The stack, the innermost last.
#[derive(Default)]
pub(crate) struct CallStack(RefCell<Vec<StackEntry>>);

impl CallStack {
    /// Adds a task that the engine runs.
    pub(crate) fn push_task(&self, task: &Bound<'_, AsyncTask>) -> Running<'_> {
        self.push(StackEntry {
            task: Some(task.clone().unbind()),
            call: None,
            framed: true,
            waiting: false,
            is_step: true,
        })
    }

    /// Adds a function that is called synchronously. Its code holds what the activation refers to as long
    /// as the entry is here.
    #[inline]
    pub(crate) fn push_call(&self, call: Activation) -> Running<'_> {
        self.push(StackEntry {
            task: None,
            call: Some(call),
            framed: false,
            waiting: false,
            is_step: false,
        })
    }

    #[inline]
    fn push(&self, entry: StackEntry) -> Running<'_> {
        let mut entries = self.0.borrow_mut();
        entries.push(entry);
        Running { stack: self, depth: entries.len() - 1 }
    }

    /// Removes the innermost call, which has ended.
    ///
    /// # Errors
    ///
    /// If it has become a task, which the caller has to end: whether the engine knows that it is
    /// running. Then the entry stays.
    pub(crate) fn pop_unasked(&self) -> Result<(), bool> {
        let popped = {
            let mut stack = self.0.borrow_mut();
            match stack.last() {
                Some(top) if top.task.is_some() => return Err(top.framed),
                _ => stack.pop(),
            }
        };
        drop(popped);
        Ok(())
    }

    /// Returns whether the code of one task is running, and nothing that it has called synchronously.
    pub(crate) fn is_one_task(&self) -> bool {
        let entries = self.0.borrow();
        matches!(&entries[..], [only] if only.is_step && !only.waiting)
    }

    /// Returns whether no code of an async function is running.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Removes all entries.
    pub(crate) fn clear(&self) {
        let before = self.0.take();
        drop(before);
    }

    /// Returns the task whose code runs now: the innermost call becomes one.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn task<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        if let Some(StackEntry { task: Some(task), .. }) = self.0.borrow().last() {
            return Ok(Some(task.bind(py).clone()));
        }
        // The creator of a task is the call around it, which becomes a task first.
        let start = {
            let entries = self.0.borrow();
            let outermost_call = entries.iter().rposition(|entry| entry.task.is_some());
            outermost_call.unwrap_or(0)
        };
        let mut innermost = None;
        for index in start.. {
            // Each time anew: making a task may run code, which uses this stack.
            let (task, call) = match self.0.borrow_mut().get_mut(index) {
                Some(entry) => {
                    (entry.task.as_ref().map(|task| task.bind(py).clone()), entry.call.take())
                }
                None => break,
            };
            innermost = match (task, call) {
                (Some(task), _) => Some(task),
                (None, Some(call)) => {
                    let task = into_task(&call, py, innermost.as_ref())?;
                    if let Some(entry) = self.0.borrow_mut().get_mut(index) {
                        entry.task = Some(task.clone().unbind());
                    }
                    Some(task)
                }
                // That code runs right now, inside of `into_task`.
                (None, None) => None,
            };
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
        let entries = self.0.borrow();
        let outermost = entries.iter().find(|entry| !entry.is_step);
        Ok(outermost.and_then(|entry| Some(entry.task.as_ref()?.bind(py).clone())))
    }

    /// Returns whether the code of the innermost is running: not that of a flush or a hook in a call that
    /// it has made.
    pub(crate) fn runs_code(&self) -> bool {
        self.0.borrow().last().is_some_and(|entry| !entry.waiting)
    }

    /// Sets the code of the innermost call: its function has returned a coroutine.
    pub(crate) fn set_coroutine(&self, coroutine: &Bound<'_, PyAny>) {
        match self.0.borrow_mut().last_mut() {
            Some(StackEntry { call: Some(call), .. }) => {
                call.set_generator(coroutine);
            }
            Some(StackEntry { task: Some(task), .. }) => {
                task.bind(coroutine.py()).state().body = Body::of_generator(coroutine.clone());
            }
            _ => {}
        }
    }

    /// Returns whether the innermost is a call that the engine does not know of, and its own code is
    /// running: not that of a flush or a hook in a call that it has made.
    pub(crate) fn is_unframed(&self) -> bool {
        self.0.borrow().last().is_some_and(|entry| !entry.framed && !entry.waiting)
    }

    /// Notes that a call that the innermost has made is being driven, until the guard is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let mut entries = self.0.borrow_mut();
        let depth = entries.len();
        let before =
            entries.last_mut().is_some_and(|top| std::mem::replace(&mut top.waiting, true));
        Waiting { stack: self, depth, before }
    }

    /// Notes that the engine knows that the innermost is running.
    pub(crate) fn set_framed(&self) {
        if let Some(entry) = self.0.borrow_mut().last_mut() {
            entry.framed = true;
        }
    }
}

/// Keeps an entry on the stack: dropping this removes it and whatever is above it.
pub(crate) struct Running<'a> {
    stack: &'a CallStack,
    depth: usize,
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        let top = {
            let mut entries = self.stack.0.borrow_mut();
            if entries.len() == self.depth + 1 { entries.pop() } else { None }
        };
        drop(top);
        // Those that a panic has left above it.
        if self.stack.0.borrow().len() > self.depth {
            let removed = self.stack.0.borrow_mut().split_off(self.depth);
            drop(removed);
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
        let mut entries = self.stack.0.borrow_mut();
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
) -> PyResult<Bound<'py, AsyncTask>> {
    let (function, args, generator) = call.get(py);
    let kwargs = args.keywords()?;
    let args = Args::new(None, args.positional());
    let body = generator.map_or(Body::Ended, Body::of_generator);
    // It runs in the context of its caller.
    let origin = Origin { creator: creator.cloned(), snapshot: None };
    let task = AsyncTask::create(py, body, function, args, kwargs, origin, false)?;
    let mut state = task.state();
    state.running = true;
    state.steps = 1;
    drop(state);
    Ok(task)
}
