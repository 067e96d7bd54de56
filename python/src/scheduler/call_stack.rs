//! Whose code is running: the stack of tasks and synchronous calls of a thread.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::args::Args;
use crate::ffi::gil_cell::TakeState;
use crate::task::async_task::AsyncTask;
use crate::task::body::Body;

/// One entry of the stack. A synchronous call is a task only if somebody asks for that task, or if
/// it has to wait: most calls end before.
pub(crate) struct StackEntry {
    task: Option<Py<AsyncTask>>,
    call: Option<Call>,
    /// Whether the engine knows that this is running.
    pub(crate) framed: bool,
}

/// What was called.
struct Call {
    function: Py<PyAny>,
    args: Args,
    kwargs: Option<Py<PyDict>>,
    generator: Option<Py<PyAny>>,
}

/// The stack, the innermost last.
#[derive(Default)]
pub(crate) struct CallStack(RefCell<Vec<StackEntry>>);

impl CallStack {
    /// The engine runs a task.
    pub(crate) fn push_task(&self, task: &Bound<'_, AsyncTask>) {
        let task = Some(task.clone().unbind());
        self.0.borrow_mut().push(StackEntry { task, call: None, framed: true });
    }

    /// A function is called synchronously.
    pub(crate) fn push_call(
        &self,
        function: &Bound<'_, PyAny>,
        args: &Args,
        kwargs: Option<&Bound<'_, PyDict>>,
        generator: Option<&Bound<'_, PyAny>>,
    ) {
        let call = Call {
            function: function.clone().unbind(),
            args: args.clone_ref(function.py()),
            kwargs: kwargs.map(|kwargs| kwargs.clone().unbind()),
            generator: generator.map(|generator| generator.clone().unbind()),
        };
        self.0.borrow_mut().push(StackEntry { task: None, call: Some(call), framed: false });
    }

    /// The innermost has ended, or waits. Returns its task, if it is one.
    pub(crate) fn pop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, AsyncTask>> {
        let popped = self.0.borrow_mut().pop();
        popped.and_then(|activation| activation.task).map(|task| task.into_bound(py))
    }

    /// The innermost call has ended. If it has become a task, that is for the caller to end: then
    /// this is an error that says whether the engine knows of it, and the entry stays.
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

    /// Whether no code of an async function is running.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        let before = self.0.take();
        drop(before);
    }

    /// The task whose code runs now: the innermost call becomes one.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn task<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        let Some(mut place) = self.0.borrow().len().checked_sub(1) else { return Ok(None) };
        // Its creator is the call around it, which becomes a task first.
        while place > 0 && self.0.borrow()[place].task.is_none() {
            place -= 1;
        }
        let mut creator = None;
        loop {
            let (known, call, is_top) = {
                let mut stack = self.0.borrow_mut();
                let is_top = place + 1 == stack.len();
                let known = stack[place].task.as_ref().map(|task| task.bind(py).clone());
                (known, stack[place].call.take(), is_top)
            };
            let task = match (known, call) {
                (Some(task), _) => task,
                (None, Some(call)) => {
                    let task = call.into_task(py, creator.as_ref())?;
                    self.0.borrow_mut()[place].task = Some(task.clone().unbind());
                    task
                }
                (None, None) => return Ok(None),
            };
            if is_top {
                return Ok(Some(task));
            }
            creator = Some(task);
            place += 1;
        }
    }

    /// Whether the innermost is a call that the engine does not know of.
    pub(crate) fn is_unframed(&self) -> bool {
        self.0.borrow().last().is_some_and(|activation| !activation.framed)
    }

    /// The engine knows now that the innermost is running.
    pub(crate) fn set_framed(&self) {
        if let Some(activation) = self.0.borrow_mut().last_mut() {
            activation.framed = true;
        }
    }
}

impl Call {
    fn into_task<'py>(
        self,
        py: Python<'py>,
        creator: Option<&Bound<'py, AsyncTask>>,
    ) -> PyResult<Bound<'py, AsyncTask>> {
        let body = self
            .generator
            .map_or(Body::Ended, |generator| Body::of_generator(generator.into_bound(py)));
        let kwargs = self.kwargs.map(|kwargs| kwargs.into_bound(py));
        let function = self.function.into_bound(py);
        let task = AsyncTask::create(py, body, function, self.args, kwargs, creator, false)?;
        let mut state = task.state();
        state.running = true;
        state.steps = 1;
        drop(state);
        Ok(task)
    }
}
