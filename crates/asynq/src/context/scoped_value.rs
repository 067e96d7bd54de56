//! Values that a task can override for itself and for the tasks that it awaits.

use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::rc::Rc;

use super::async_context::AsyncContext;
use crate::scheduler::{self, Scheduler};

/// A setting that a task can override for itself and for the tasks that it awaits, as long as the
/// override lasts.
///
/// Clones are handles to the same setting. A setting belongs to one thread.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, ScopedValue, all, with_context};
///
/// let locale = ScopedValue::new("en");
/// let greet = {
///     let locale = locale.clone();
///     move |language: Option<&'static str>| {
///         let locale = locale.clone();
///         let greeting = AsyncTask::new({
///             let locale = locale.clone();
///             async move { format!("hello in {}", locale.get()) }
///         });
///         AsyncTask::new(async move {
///             match language {
///                 Some(language) => with_context(locale.override_with(language), greeting).await,
///                 None => greeting.await,
///             }
///         })
///     }
/// };
/// assert_eq!(all([greet(Some("fr")), greet(None)]).value(), ["hello in fr", "hello in en"]);
/// ```
pub struct ScopedValue<T> {
    value: Rc<RefCell<T>>,
}

impl<T> ScopedValue<T> {
    /// Creates a setting whose value is `default` unless it is overridden.
    pub fn new(default: T) -> Self {
        Self { value: Rc::new(RefCell::new(default)) }
    }

    /// Returns the current value.
    #[must_use]
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        // Another branch of the task may have been left inside a context of its own.
        scheduler::try_with(Scheduler::switch_to_branch);
        self.value.borrow().clone()
    }

    /// Changes the value: of the innermost active override, or else the default.
    pub fn set(&self, value: T) {
        // Another branch of the task may have been left inside a context of its own.
        scheduler::try_with(Scheduler::switch_to_branch);
        // The old value is dropped after the borrow has ended.
        let _before = self.value.replace(value);
    }

    /// Creates a context in which the value is `value`, for [`with_context`](crate::with_context)
    /// and [`call_with_context`](crate::call_with_context).
    pub fn override_with(&self, value: T) -> ScopedOverride<T> {
        ScopedOverride { target: self.clone(), other: RefCell::new(value) }
    }
}

impl<T> Clone for ScopedValue<T> {
    fn clone(&self) -> Self {
        Self { value: Rc::clone(&self.value) }
    }
}

impl<T: fmt::Debug> fmt::Debug for ScopedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedValue").field(&self.value).finish()
    }
}

/// Context of [`ScopedValue::override_with`].
#[must_use = "an override does nothing unless it is entered: `with_context(override, future)`"]
pub struct ScopedOverride<T> {
    target: ScopedValue<T>,
    /// The value that is not in use: of this override while it is paused, of the setting around it
    /// while it is active.
    other: RefCell<T>,
}

impl<T> ScopedOverride<T> {
    fn swap(&self) {
        mem::swap(&mut *self.target.value.borrow_mut(), &mut *self.other.borrow_mut());
    }
}

impl<T> AsyncContext for ScopedOverride<T> {
    fn resume(&self) {
        self.swap();
    }

    fn pause(&self) {
        self.swap();
    }
}

impl<T: fmt::Debug> fmt::Debug for ScopedOverride<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedOverride").field("target", &self.target).finish_non_exhaustive()
    }
}
