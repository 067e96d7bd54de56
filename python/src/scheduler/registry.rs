//! The schedulers of this thread: of itself, its greenlets and its event loops.

use std::rc::Rc;

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyWeakrefReference};

use crate::event_loop::host::EventLoop;
use crate::event_loop::per_loop::{self, PerLoop};
use crate::ffi::thread_exit;
use crate::scheduler::greenlets::{self, PerGreenlet};
use crate::scheduler::running::running_loop;
use crate::scheduler::state::{Scheduler, next_id};
use crate::task::async_task::{AsyncTask, Origin};

thread_local! {
    static SCHEDULERS: PerGreenlet<Scheduler> = const { PerGreenlet::new() };
    static LOOPS: PerLoop<Scheduler> = const { PerLoop::new() };
}

impl Scheduler {
    /// Returns the scheduler of the event loop that runs in this thread, if it has one, or else that of
    /// this thread or greenlet.
    #[inline]
    pub(crate) fn current() -> Rc<Self> {
        if per_loop::are_used()
            && let Some(scheduler) = Self::of_running_loop()
        {
            return scheduler;
        }
        Self::of_thread()
    }

    /// Returns the scheduler of this thread or greenlet, apart from its event loops.
    #[inline]
    pub(crate) fn of_thread() -> Rc<Self> {
        if greenlets::are_loaded()
            && let Some(scheduler) = Self::of_greenlet()
        {
            return scheduler;
        }
        SCHEDULERS.with(|schedulers| {
            Rc::clone(schedulers.of_main().get_or_init(|| {
                thread_exit::protect();
                Rc::new(Self::new(next_id(), None))
            }))
        })
    }

    /// Returns the scheduler of the event loop that runs in this thread. A greenlet inside of a loop has
    /// one of its own.
    fn of_running_loop() -> Option<Rc<Self>> {
        LOOPS.with(|loops| {
            if loops.is_empty() {
                return None;
            }
            Python::attach(|py| {
                if let Some(driven) = loops.driven(py) {
                    return Some(driven);
                }
                if greenlets::are_loaded() && greenlets::current(py).ok()?.is_some() {
                    return None;
                }
                loops.of(&running_loop(py).ok()??)
            })
        })
    }

    /// Returns the scheduler of an event loop of this thread.
    pub(crate) fn of_loop(event_loop: &Bound<'_, PyAny>) -> Option<Rc<Self>> {
        LOOPS.with(|loops| loops.of(event_loop))
    }

    /// Returns the scheduler with this number, if it is that of an event loop of this thread.
    pub(crate) fn with_loop(id: u32) -> Option<Rc<Self>> {
        LOOPS.try_with(|loops| loops.with_id(id)).ok().flatten()
    }

    /// Adds the scheduler of an event loop, to which `reference` is a weak reference.
    pub(crate) fn add_loop(
        event_loop: &Bound<'_, PyAny>,
        reference: Py<PyWeakrefReference>,
        id: u32,
        host: EventLoop,
    ) -> Rc<Self> {
        thread_exit::protect();
        let py = event_loop.py();
        let scheduler = Rc::new(Self::new(id, Some(host)));
        if let Some(host) = &scheduler.event_loop {
            scheduler.inbox.wake_loop(py, reference.clone_ref(py), host.driver(py).unbind());
        }
        LOOPS.with(|loops| loops.add(event_loop, reference, id, Rc::clone(&scheduler)));
        scheduler
    }

    /// Ends the scheduler of an event loop that is closed.
    pub(crate) fn end_loop(py: Python<'_>, id: u32) {
        let removed = LOOPS.try_with(|loops| loops.remove(id)).ok().flatten();
        let Some(scheduler) = removed else { return };
        let Some(event_loop) = &scheduler.event_loop else { return };
        let rest = event_loop.take_rest();
        if event_loop.root.take().is_some() {
            let mut engine = scheduler.engine();
            while engine.depth() > 0 {
                engine.abandon();
                engine.exit();
            }
        }
        drop(rest);
        scheduler.let_go(py);
        scheduler.release_batches(py);
    }

    /// Notes that a callback of the event loop drives this scheduler.
    pub(crate) fn begin_drive(self: &Rc<Self>, py: Python<'_>) {
        LOOPS.with(|loops| loops.begin_drive(py, Rc::clone(self)));
    }

    /// Notes that the drive has ended that began last.
    pub(crate) fn end_drive() {
        let _ = LOOPS.try_with(PerLoop::end_drive);
    }

    /// Returns the scheduler of this greenlet, unless it is the main one of its thread.
    #[cold]
    fn of_greenlet() -> Option<Rc<Self>> {
        Python::attach(|py| {
            let greenlet = match greenlets::current(py) {
                Ok(greenlet) => greenlet?,
                Err(error) => {
                    error.write_unraisable(py, None);
                    return None;
                }
            };
            let known = SCHEDULERS.with(|schedulers| schedulers.of(&greenlet));
            known.or_else(|| match Self::add_for(&greenlet) {
                Ok(scheduler) => Some(scheduler),
                Err(error) => {
                    error.write_unraisable(py, Some(&greenlet));
                    None
                }
            })
        })
    }

    /// Makes the scheduler of a greenlet, which goes when the greenlet does.
    fn add_for(greenlet: &Bound<'_, PyAny>) -> PyResult<Rc<Self>> {
        thread_exit::protect();
        let py = greenlet.py();
        let address = greenlet.as_ptr() as usize;
        let remove = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            let reference = args.get_item(0)?;
            // The thread may be ending, its locals gone.
            let _ = SCHEDULERS.try_with(|schedulers| schedulers.remove(&reference, address));
            PyResult::Ok(())
        };
        let remove = PyCFunction::new_closure(py, None, None, remove)?;
        let reference = PyWeakrefReference::new_with(greenlet, remove)?;
        let scheduler = Rc::new(Self::new(next_id(), None));
        SCHEDULERS.with(|schedulers| {
            schedulers.add(&reference, address, scheduler.id(), Rc::clone(&scheduler));
        });
        Ok(scheduler)
    }

    /// Runs `function` with the scheduler of the main greenlet of this thread, if it has this number.
    #[inline]
    pub(super) fn with_main<R>(scheduler_id: u32, function: impl FnOnce(&Self) -> R) -> Option<R> {
        SCHEDULERS
            .try_with(|schedulers| {
                let main = schedulers.of_main().get().filter(|main| main.id() == scheduler_id)?;
                Some(function(main))
            })
            .ok()
            .flatten()
    }

    /// Returns the scheduler with this number, if it is one of this thread.
    pub(super) fn at(scheduler_id: u32) -> Option<Rc<Self>> {
        let has_number = |scheduler: &Rc<Self>| scheduler.id() == scheduler_id;
        SCHEDULERS
            .try_with(|schedulers| {
                let of_main = schedulers.of_main().get().filter(|main| has_number(main));
                of_main.cloned().or_else(|| schedulers.with_id(scheduler_id).filter(has_number))
            })
            .ok()
            .flatten()
            .or_else(|| per_loop::are_used().then(|| Self::with_loop(scheduler_id))?)
    }

    /// Returns whether the code of a task runs in this thread or greenlet.
    pub(crate) fn runs_a_task() -> bool {
        Self::current().call_stack.runs_code()
    }

    /// Returns the number of the scheduler of this greenlet, 0 if there are no greenlets.
    pub(crate) fn id_among_greenlets() -> u32 {
        if greenlets::are_loaded() { Self::current().id() } else { 0 }
    }

    /// Returns whether this is a number of another greenlet of this thread.
    pub(crate) fn is_of_other_greenlet(&self, scheduler_id: u32) -> bool {
        scheduler_id != 0 && scheduler_id != self.id() && Self::at(scheduler_id).is_some()
    }
}

/// Returns the task whose code runs now, or waits for the synchronous call that runs now.
pub(crate) fn active_task(py: Python<'_>) -> PyResult<Option<Bound<'_, AsyncTask>>> {
    if greenlets::are_loaded() || per_loop::are_used() {
        return Scheduler::current().call_stack.task(py);
    }
    SCHEDULERS.with(|schedulers| {
        schedulers.of_main().get().map_or(Ok(None), |scheduler| scheduler.call_stack.task(py))
    })
}

/// Returns what a task that is made now knows of the code that makes it.
#[inline]
pub(crate) fn origin(py: Python<'_>) -> PyResult<Origin<'_>> {
    let scheduler = Scheduler::current();
    let creator = scheduler.call_stack.task(py)?;
    let snapshot = scheduler.variables.snapshots.of_new_task(py, creator.as_ref())?;
    Ok(Origin { creator, snapshot, scheduler_id: scheduler.id(), is_call: false })
}
