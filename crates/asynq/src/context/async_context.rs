//! The trait of contexts.

use std::rc::Rc;

use crate::type_name::short_name;

/// A context that is active only while the task that entered it runs, or what that task awaits: a
/// timer, a scoped setting, a "suppress warnings".
///
/// Entering a context resumes it and leaving it pauses it. In between, the scheduler pauses it when
/// it turns to other tasks, and resumes it when it comes back. Every pause is paired with one
/// resume.
///
/// A synchronous call starts its task under the contexts of the caller. It pauses them while it
/// drives a task that somebody else has started. During a flush those contexts are active under
/// which the synchronous call was made that flushes, if all tasks are under them that requested an
/// item of the batch: the flush may be for several users, and sees the settings of none of them in
/// particular.
///
/// A panic in `resume` or `pause` fails the task that entered the context, and no other.
pub trait AsyncContext {
    /// Activates the context: its task runs next.
    fn resume(&self);
    /// Deactivates the context: something else runs next.
    fn pause(&self);

    /// Returns the name of the context in [`debug`](crate::debug) output: by default the name of
    /// the type.
    fn name(&self) -> String {
        short_name(std::any::type_name::<Self>())
    }
}

impl<C: AsyncContext + ?Sized> AsyncContext for Rc<C> {
    fn resume(&self) {
        (**self).resume();
    }

    fn pause(&self) {
        (**self).pause();
    }

    fn name(&self) -> String {
        (**self).name()
    }
}
