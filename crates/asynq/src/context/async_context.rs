//! The trait of contexts.

use std::rc::Rc;
use std::sync::Arc;

use crate::type_name::short_name;

/// A context that is active only while the task that entered it runs, or what that task awaits: a
/// timer, a scoped setting, a "suppress warnings".
///
/// Entering a context resumes it and leaving it pauses it. In between, the scheduler pauses it when
/// it turns to other tasks, and resumes it when it comes back. Every pause is paired with one
/// resume.
///
/// A synchronous call starts its task under the contexts of the caller. It pauses them while it
/// drives a task that somebody else has started.
///
/// During a flush, the contexts are those common to everybody who waits for it, and nobody's in
/// particular: the flush may be for several users. A task waits for a batch if it has requested an
/// item, or awaits a task that has, or calls one. A context is common if everybody waits inside it,
/// and active if those around it are, too.
///
/// A panic in `resume` or `pause` fails the task that entered the context, and no other.
pub trait AsyncContext {
    /// Activates the context: its task runs next.
    fn resume(&self);
    /// Deactivates the context: something else runs next.
    fn pause(&self);

    /// Returns whether the context may be active during a flush, if it is common to everybody who
    /// waits. By default it may. Called once, when the context is entered.
    ///
    /// A context that measures its own task, such as [`AsyncTimer`](crate::tools::AsyncTimer), is
    /// paused during each flush, and so are the contexts inside it.
    fn in_flushes(&self) -> bool {
        true
    }

    /// Returns the name of the context in [`debug`](crate::debug) output: by default the name of
    /// the type.
    fn name(&self) -> String {
        short_name(std::any::type_name::<Self>())
    }
}

/// Makes a shared context the same context as the one that it points to.
macro_rules! forward {
    ($($pointer:ident),+) => {$(
        impl<C: AsyncContext + ?Sized> AsyncContext for $pointer<C> {
            fn resume(&self) {
                (**self).resume();
            }

            fn pause(&self) {
                (**self).pause();
            }

            fn in_flushes(&self) -> bool {
                (**self).in_flushes()
            }

            fn name(&self) -> String {
                (**self).name()
            }
        }
    )+};
}

forward!(Arc, Rc);
