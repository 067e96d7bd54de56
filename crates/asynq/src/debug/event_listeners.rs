//! Who is told what the scheduler of a thread does.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use asynq_engine::{ContextId, TaskId};

use super::event::Event;
use super::names::Names;
use crate::scheduler::{self, Scheduler};

/// Calls `listener` with each step of this thread's scheduler, as long as the guard lives.
///
/// It is called between the steps: before the code of a task, a flush or a context runs. What it
/// does itself with futures of this crate is not told. Nobody listening costs nothing.
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
        scheduler.audience.add(&listener);
        scheduler.engine().listen(true);
    });
    Listening { _listener: listener }
}

/// Ends what [`listen`] began, when it is dropped.
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

type Listener = RefCell<dyn FnMut(&Event)>;

/// Those who listen to a scheduler.
#[derive(Default)]
pub(crate) struct Audience {
    /// Whether there may be somebody.
    present: Cell<bool>,
    /// Whether they are told something now.
    telling: Cell<bool>,
    listeners: RefCell<Vec<Weak<Listener>>>,
    pub(super) names: RefCell<Names>,
}

impl Audience {
    fn add(&self, listener: &Rc<Listener>) {
        self.listeners.borrow_mut().push(Rc::downgrade(listener));
        self.present.set(true);
    }

    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        self.present.get()
    }

    /// Those who are still there.
    fn listeners(&self) -> Vec<Rc<Listener>> {
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.iter().filter_map(Weak::upgrade).collect()
    }

    /// Tells all of `events`. What a listener does itself is not told.
    fn announce(&self, events: &[Event]) {
        if self.telling.replace(true) {
            return;
        }
        for event in events {
            for listener in self.listeners() {
                // Its panic is nobody's to receive, and ends with what the panic hook has printed.
                drop(catch_unwind(AssertUnwindSafe(move || (listener.borrow_mut())(event))));
            }
        }
        self.telling.set(false);
    }
}

impl Scheduler {
    /// Tells what has happened since the last time. Nothing is borrowed when this is called.
    #[inline]
    pub(crate) fn tell(&self) {
        if self.audience.is_present() {
            self.tell_audience();
        }
    }

    #[cold]
    fn tell_audience(&self) {
        if self.audience.listeners().is_empty() {
            self.audience.present.set(false);
            self.audience.names.take();
            self.engine().listen(false);
            return;
        }
        let mut events = Vec::new();
        loop {
            let event = self.engine().poll_event();
            let Some(event) = event else { break };
            events.extend(self.named(event));
        }
        self.audience.announce(&events);
    }

    /// The running task enters a context.
    pub(crate) fn tell_entered(&self, context: ContextId) {
        if self.audience.is_present() {
            self.tell();
            self.audience.announce(&[Event::Entered(self.context_name(context))]);
        }
    }

    /// A context is about to be left, for good.
    pub(crate) fn tell_left(&self, context: ContextId) {
        if self.audience.is_present() {
            self.tell();
            let name = self.context_name(context);
            self.audience.names.borrow_mut().forget_context(context);
            self.audience.announce(&[Event::Left(name)]);
        }
    }

    /// A task or promise is about to end: the engine forgets it before anybody hears of that.
    #[inline]
    pub(crate) fn note_end(&self, task: TaskId) {
        if self.audience.is_present() {
            self.note_name(task);
        }
    }
}
