//! The error of synchronous calls that are nested too deeply.

use super::native_stack::Nested;
use super::state::{self, Scheduler};
use crate::error::{TaskError, TaskErrorKind};

impl Scheduler {
    /// Begins a call of the task that `name` names.
    ///
    /// # Errors
    ///
    /// If the calls around it take too much stack already.
    pub(super) fn nest(&self, name: impl FnOnce() -> String) -> Result<Nested<'_>, TaskError> {
        self.native_stack.nest().map_err(|taken| self.nested_too_deeply(&name(), taken))
    }

    #[cold]
    fn nested_too_deeply(&self, name: &str, taken: usize) -> TaskError {
        let depth = self.engine().depth();
        let message = format!(
            "{depth} nested synchronous calls take {taken} bytes of native stack, and {name} would be the next. \
             Await the calls (`f::asynq(..).await`), which takes no stack, or allow more by \
             `asynq::set_max_call_stack`"
        );
        TaskError::new(TaskErrorKind::Panicked, message, self.stack().unwrap_or_default())
    }
}

/// Sets the native stack in bytes that nested synchronous calls on this thread may take (1 MiB unless set). A call
/// beyond it fails, where it would otherwise overflow the stack of the thread and abort the process.
///
/// It must be less than the stack of the thread, which is 2 MiB unless the program says otherwise, and more on the
/// main thread.
///
/// ```
/// use asynq::{AsyncTask, asynq};
///
/// #[asynq]
/// async fn endless(n: u64) -> u64 {
///     endless(n + 1)
/// }
///
/// asynq::set_max_call_stack(100_000);
/// let error = endless::asynq(0).outcome().unwrap_err();
/// assert!(error.message().contains("nested synchronous calls"));
/// ```
pub fn set_max_call_stack(bytes: usize) {
    state::with(|scheduler| scheduler.native_stack.set_max(bytes));
}
