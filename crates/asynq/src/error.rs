//! The failure of a task.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call_stack::AsynqStack;

/// Failure of a task that panicked, was cancelled, or took part in a deadlock.
///
/// A task whose function returns `Err` has a value, and has not failed. A failure reaches every
/// task that awaits the failed one, as a panic that carries this error. The caller gets it from
/// [`AsyncTask::outcome`](crate::AsyncTask::outcome), or as a panic from
/// [`value`](crate::FutureBase::value).
#[derive(Clone)]
pub struct TaskError {
    inner: Arc<Inner>,
}

struct Inner {
    kind: TaskErrorKind,
    message: String,
    stack: AsynqStack,
    /// Payload of the panic, for the first caller.
    payload: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The kinds of [`TaskError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// The task, or a context it had entered, panicked.
    Panicked,
    /// The task waited for something that would never be computed.
    Deadlock,
    /// The task was cancelled while others waited for it.
    Cancelled,
}

impl TaskError {
    pub(crate) fn new(kind: TaskErrorKind, message: String, stack: AsynqStack) -> Self {
        Self { inner: Arc::new(Inner { kind, message, stack, payload: Mutex::new(None) }) }
    }

    /// Makes a failure of the payload of a panic. The failure of another task is passed on, with
    /// the stack of the task where it began.
    #[cold]
    pub(crate) fn from_panic(
        payload: Box<dyn Any + Send>,
        stack: impl FnOnce() -> AsynqStack,
    ) -> Self {
        let payload = match payload.downcast::<Self>() {
            Ok(error) => return *error,
            Err(payload) => payload,
        };
        let text = (payload.downcast_ref::<String>().map(String::as_str))
            .or_else(|| payload.downcast_ref::<&str>().copied());
        let (message, payload) = match text {
            Some(text) => (text.to_owned(), None),
            None => ("panicked with a value that is not a string".to_owned(), Some(payload)),
        };
        Self {
            inner: Arc::new(Inner {
                kind: TaskErrorKind::Panicked,
                message,
                stack: stack(),
                payload: Mutex::new(payload),
            }),
        }
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> TaskErrorKind {
        self.inner.kind
    }

    /// Returns the message of the panic, or the report of the deadlock or cancellation.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the calls that led to the task that failed first.
    #[must_use]
    pub fn stack(&self) -> &AsynqStack {
        &self.inner.stack
    }

    /// Returns the payload for a panic in code outside of tasks: the value that the failed task
    /// panicked with, or a text that ends in the asynq stack, if there is one.
    pub(crate) fn into_payload(self) -> Box<dyn Any + Send> {
        let payload = self.inner.payload.lock().unwrap_or_else(PoisonError::into_inner).take();
        payload.unwrap_or_else(|| Box::new(self.to_string()))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, stack, .. } = &*self.inner;
        f.write_str(message)?;
        if stack.calls().is_empty() { Ok(()) } else { write!(f, "\n{stack}") }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)
    }
}

impl Error for TaskError {}
