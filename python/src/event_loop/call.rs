//! `AsyncioCall`: a call of an async function or loader from asyncio, and the waits for it.

use asynq_engine::TaskId;
use pyo3::prelude::*;

use crate::ffi::context_vars::Context;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::future::base::FutureBase;

/// A call that runs on an asyncio event loop: what `fn.asyncio(...)` returns.
///
/// It begins at once if it is made on a running loop, and otherwise when a loop first runs it. It can be
/// awaited any number of times, and be given to whatever takes a coroutine or an asyncio future.
#[pyclass(frozen, weakref, module = "asynq.aio")]
pub(crate) struct AsyncioCall(pub(crate) GilCell<Call>);

has_state!(AsyncioCall: Call);

/// State of an [`AsyncioCall`].
#[derive(Default)]
pub(crate) struct Call {
    /// Future that it waits for, once it has begun.
    pub(crate) future: Option<Py<FutureBase>>,
    /// Loader and key, as long as it has not begun.
    pub(crate) load: Option<(Py<PyAny>, Py<PyAny>)>,
    /// Batch function of a loader in which the call was made. It lends its permits while it waits.
    pub(crate) function: Option<Py<PyAny>>,
    /// Event loop on which it has begun.
    pub(crate) event_loop: Option<Py<PyAny>>,
    /// Number of the scheduler of that loop.
    pub(crate) scheduler_id: u32,
    /// Id of the task that stands for the call in the engine.
    pub(crate) engine_id: Option<TaskId>,
    pub(crate) end: End,
    /// Listeners, in the order in which they began to wait.
    pub(crate) listeners: Vec<Listener>,
    /// Iterator of the call as a coroutine.
    pub(crate) iterator: Option<Py<PyAny>>,
    pub(crate) cancel_message: Option<Py<PyAny>>,
    /// Somebody has asked for the outcome. An error that nobody asks for is reported.
    pub(crate) is_retrieved: bool,
}

/// Way in which a call has ended.
#[derive(Default)]
pub(crate) enum End {
    #[default]
    Pending,
    /// With the outcome of its future.
    Resolved,
    /// With an error of its own.
    Failed(PyErr),
    Cancelled,
}

/// Code that is to be called when a call ends.
pub(crate) enum Listener {
    /// A wait, which has a callback of its own.
    Wait(Py<CallWait>),
    Callback(Callback),
}

/// A callback, and the context in which it runs.
pub(crate) struct Callback {
    pub(crate) function: Py<PyAny>,
    pub(crate) context: Context,
}

/// One `await` of an [`AsyncioCall`]: an iterator, and the future that an asyncio task waits for.
#[pyclass(frozen, weakref, module = "asynq.aio")]
pub(crate) struct CallWait(pub(crate) GilCell<Wait>);

has_state!(CallWait: Wait);

/// State of a [`CallWait`].
#[derive(Default)]
pub(crate) struct Wait {
    pub(crate) call: Option<Py<AsyncioCall>>,
    pub(crate) status: WaitStatus,
    pub(crate) blocking: bool,
    pub(crate) callbacks: Vec<Callback>,
    pub(crate) cancel_message: Option<Py<PyAny>>,
}

/// Status of a wait.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum WaitStatus {
    #[default]
    New,
    Waiting,
    /// The call has ended.
    Done,
    /// The wait alone was cancelled.
    Cancelled,
}

impl AsyncioCall {
    pub(crate) fn of_future<'py>(future: &Bound<'py, FutureBase>) -> PyResult<Bound<'py, Self>> {
        let mut call = Call::default();
        call.future = Some(future.clone().unbind());
        Bound::new(future.py(), Self(GilCell::new(call)))
    }

    /// Returns the future of the call, once it has begun.
    pub(crate) fn future<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, FutureBase>> {
        slf.state().future.as_ref().map(|future| future.bind(slf.py()).clone())
    }

    pub(crate) fn is_done(slf: &Bound<'_, Self>) -> bool {
        !matches!(slf.state().end, End::Pending)
    }

    /// Notes that somebody has asked for the outcome, or that a task gets it.
    pub(crate) fn set_retrieved(slf: &Bound<'_, Self>) {
        slf.state().is_retrieved = true;
    }

    /// Retrieves the value or error of a call that has ended.
    pub(crate) fn outcome<'py>(slf: &Bound<'py, Self>) -> Option<PyResult<Bound<'py, PyAny>>> {
        Self::set_retrieved(slf);
        Self::peek(slf)
    }

    /// Returns the value or error of a call that has ended, which still counts as not retrieved.
    pub(crate) fn peek<'py>(slf: &Bound<'py, Self>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (error, is_cancelled) = {
            let state = slf.state();
            match &state.end {
                End::Pending => return None,
                End::Resolved => (None, false),
                End::Failed(error) => (Some(error.clone_ref(py)), false),
                End::Cancelled => (None, true),
            }
        };
        if is_cancelled {
            return Some(Err(Self::cancelled_error(slf)));
        }
        match error {
            Some(error) => Some(Err(error)),
            None => FutureBase::outcome(&Self::future(slf)?),
        }
    }

    pub(crate) fn cancelled_error(slf: &Bound<'_, Self>) -> PyErr {
        let message = slf.state().cancel_message.as_ref().map(|text| text.clone_ref(slf.py()));
        cancelled_error(slf.py(), message)
    }
}

/// Makes an `asyncio.CancelledError`.
pub(crate) fn cancelled_error(py: Python<'_>, message: Option<Py<PyAny>>) -> PyErr {
    let class = match crate::imports::cancelled_error(py) {
        Ok(class) => class.clone(),
        Err(error) => return error,
    };
    match message {
        Some(message) => PyErr::from_type(class, (message,)),
        None => PyErr::from_type(class, ()),
    }
}
