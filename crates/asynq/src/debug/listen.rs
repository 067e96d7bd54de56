//! Listening to the steps of a scheduler.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::event::Event;
use super::event_listeners::Listener;
use crate::scheduler;

/// Calls `listener` with each step of this thread's scheduler, as long as the guard lives.
///
/// The scheduler calls it between steps: before the code of a task, a flush or a context runs.
/// Steps that the listener causes itself are not reported. Without a listener, a step costs one
/// branch more.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let flushes = Rc::new(RefCell::new(Vec::new()));
/// let guard = debug::listen({
///     let flushes = Rc::clone(&flushes);
///     move |event| if let debug::Event::FlushBegan { batch, items } = event {
///         flushes.borrow_mut().push((batch.name.to_string(), *items));
///     }
/// });
/// AsyncTask::new(async { debug::sync().await }).value();
/// assert_eq!(*flushes.borrow(), [("sync(\"default\")".to_owned(), 1)]);
/// ```
#[must_use = "listening ends when the guard is dropped"]
pub fn listen(listener: impl FnMut(&Event) + 'static) -> Listening {
    let listener: Rc<Listener> = Rc::new(RefCell::new(listener));
    scheduler::with(|scheduler| {
        scheduler.event_listeners.add(&listener);
        scheduler.engine().listen(true);
    });
    Listening { _listener: listener }
}

/// Guard of [`listen`]: dropping it removes the listener.
#[must_use = "listening ends when it is dropped"]
pub struct Listening {
    /// The scheduler has only a weak reference.
    _listener: Rc<Listener>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}
