//! How a task can fail.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call_stack::AsynqStack;
use crate::scheduler::{self, Scheduler};

/// Why a task has no value.
///
/// A task whose function returns `Err` has a value. This is for those that panicked, or were
/// stopped. It reaches every task that awaits the failed one, as a panic that carries this error;
/// the one who made the call gets it from
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
    /// What the task panicked with, for the first who asks.
    payload: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The kinds of [`TaskError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// The task, or a context it had entered, panicked.
    Panicked,
    /// The task waited for something that could never come.
    Deadlock,
    /// The task was cancelled while others waited for it.
    Cancelled,
}

impl TaskError {
    pub(crate) fn new(kind: TaskErrorKind, message: String, stack: AsynqStack) -> Self {
        Self { inner: Arc::new(Inner { kind, message, stack, payload: Mutex::new(None) }) }
    }

    /// What a task failed with that panicked with `payload`. If that is the failure of another
    /// task, it is passed on, with the stack of the task where it began.
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

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> TaskErrorKind {
        self.inner.kind
    }

    /// What the task said when it panicked, or what it waited for.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Which calls led to the task that failed first.
    #[must_use]
    pub fn stack(&self) -> &AsynqStack {
        &self.inner.stack
    }

    /// Passes the failure on to the task that runs now; to code outside of any task with the value
    /// that the failed one panicked with, or with a text that ends in the asynq stack.
    pub(crate) fn throw(self) -> ! {
        if scheduler::with(Scheduler::is_within) {
            resume_unwind(Box::new(self));
        }
        let payload = self.inner.payload.lock().unwrap_or_else(PoisonError::into_inner).take();
        resume_unwind(payload.unwrap_or_else(|| Box::new(self.to_string())))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, stack, .. } = &*self.inner;
        write!(f, "{message}\n{stack}")
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)
    }
}

impl Error for TaskError {}
