//! The drive of a scheduler on an event loop, in a callback of the loop.
//!
//! # Note: the outermost call on a loop
//!
//! One call of the engine, whose root is a promise that is never completed, drives everything that is
//! awaited from asyncio. It stays on the stack of the engine from one drive to the next, below the
//! synchronous calls that are made in between, and ends when nothing is awaited any more.
//!
//! A drive runs all tasks that can run. Then it calls the asyncio tasks that wait for them, and begins again.
//! It flushes a batch only when nothing else on the loop can run: the others may ask for keys. Timers and I/O show only
//! in a new turn of the loop, so a drive that has lasted for a while leaves one to them.

use std::rc::Rc;
use std::time::{Duration, Instant};

use asynq_engine::Step;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::flights;
use crate::event_loop::call_step::start_fresh;
use crate::event_loop::host::EventLoop;
use crate::event_loop::notify::{notify, report};
use crate::event_loop::{cancel, deadlocks};
use crate::ffi::gil_cell::TakeState;
use crate::loader::nodes::LoaderBatch;
use crate::scheduler::contexts;
use crate::scheduler::drive as steps;
use crate::scheduler::job::Job;
use crate::scheduler::state::Scheduler;

/// The callback that drives a scheduler.
#[pyclass(frozen, module = "asynq.aio")]
pub(crate) struct Driver(pub(crate) u32);

#[pymethods]
impl Driver {
    /// Drives the scheduler. With `search`, it also looks for deadlocks.
    #[pyo3(signature = (search=false))]
    fn __call__(&self, py: Python<'_>, search: bool) -> PyResult<()> {
        // Gone, if the loop is closed.
        let Some(scheduler) = Scheduler::with_loop(self.0) else { return Ok(()) };
        if search && let Some(event_loop) = scheduler.event_loop() {
            event_loop.begin_search();
        }
        drive(&scheduler, py)
    }
}

/// Callback that a loop never calls, and drops when it is closed. Then its scheduler ends.
#[pyclass(frozen, module = "asynq.aio")]
pub(crate) struct Guard(pub(crate) u32);

#[pymethods]
impl Guard {
    #[allow(clippy::unused_self, reason = "a method of Python")]
    fn __call__(&self) {}
}

impl Drop for Guard {
    fn drop(&mut self) {
        Python::try_attach(|py| Scheduler::end_loop(py, self.0));
    }
}

fn drive(scheduler: &Rc<Scheduler>, py: Python<'_>) -> PyResult<()> {
    let Some(event_loop) = scheduler.event_loop() else { return Ok(()) };
    event_loop.begin_turn();
    let depth = usize::from(event_loop.root.get().is_some());
    if event_loop.is_driving.get() || scheduler.engine().depth() > depth {
        return Ok(()); // The loop runs inside of a step or call.
    }
    let driving = Driving::begin(scheduler, event_loop, py);
    let variables = scheduler.variables.begin_drive(py);
    let driven = run(scheduler, event_loop, py);
    drop(variables);
    drop(driving);
    if let Some(deadline) = scheduler.inbox.first_deadline(py) {
        event_loop.schedule_at(py, deadline)?;
    }
    if driven.is_err() || event_loop.has_more() || !event_loop.starts.borrow().is_empty() {
        event_loop.schedule_turn(py)?;
    }
    driven
}

/// Time after which a drive leaves a turn to the others on the loop, whatever it could flush.
const MAX_DRIVE: Duration = Duration::from_millis(1);

/// Runs everything that can run, and flushes batches when the loop is idle.
fn run(scheduler: &Rc<Scheduler>, event_loop: &EventLoop, py: Python<'_>) -> PyResult<()> {
    let began = Instant::now();
    let (mut has_flushed, mut has_answers) = (false, false);
    loop {
        if event_loop.root.get().is_none() {
            let is_done = event_loop.fresh.borrow().is_empty()
                && event_loop.listeners.borrow().is_empty()
                && event_loop.starts.borrow().is_empty();
            if is_done {
                return Ok(());
            }
            enter_root(scheduler, event_loop);
        }
        start_fresh(scheduler, event_loop, py);
        cancel::cancel_calls(scheduler, event_loop, py)?;
        let result = run_tasks(scheduler, py);
        let has_failed = result.is_err();
        handle(event_loop, py, result)?;
        scheduler.variables.exit(py);
        // After an error, tasks may be left that can run.
        if notify(event_loop, py)? || event_loop.has_more() || has_failed {
            continue;
        }
        if contexts::switch_to(scheduler, py, None)? {
            continue; // A pause that has failed lets its task run.
        }
        if !event_loop.starts.borrow().is_empty() {
            if has_answers {
                return Ok(()); // Functions that answer at once must not keep the loop from others.
            }
            has_answers = call_starts(event_loop, py)?;
            continue;
        }
        if !scheduler.engine().has_flush() {
            event_loop.end_busy();
            if event_loop.pending.get() == 0 {
                exit_root(scheduler, event_loop, py);
            } else if deadlocks::look(scheduler, event_loop, py)? {
                continue;
            }
            return Ok(());
        }
        let flushed = if event_loop.is_idle(py)? {
            if has_flushed && began.elapsed() >= MAX_DRIVE {
                return event_loop.schedule_turn(py);
            }
            has_flushed = true;
            event_loop.end_busy();
            flush_next(scheduler, py)
        } else if !flush_due(scheduler, event_loop, py)? {
            return event_loop.schedule_check(py);
        } else {
            Ok(())
        };
        handle(event_loop, py, flushed)?;
    }
}

/// Runs tasks until none can run.
fn run_tasks(scheduler: &Rc<Scheduler>, py: Python<'_>) -> PyResult<()> {
    loop {
        scheduler.read_inbox(py);
        if scheduler.inbox.has_flights(py) {
            flights::deliver(scheduler, py)?;
        }
        let step = scheduler.engine().next_run();
        match step {
            None | Some(Step::Done) => return Ok(()),
            Some(step) => steps::perform(scheduler, py, &step)?,
        }
    }
}

/// Flushes the batch of highest priority.
fn flush_next(scheduler: &Rc<Scheduler>, py: Python<'_>) -> PyResult<()> {
    loop {
        let step = scheduler.engine().next();
        if matches!(step, Step::Wait | Step::Done | Step::Deadlock(_)) {
            return Ok(()); // A priority that cannot be read has failed the only batch.
        }
        let is_last = matches!(step, Step::Flush(_) | Step::Run(_));
        steps::perform(scheduler, py, &step)?;
        if is_last {
            return Ok(());
        }
    }
}

/// Flushes the batches that cannot wait until the loop is idle. Returns whether there were any.
fn flush_due(scheduler: &Rc<Scheduler>, event_loop: &EventLoop, py: Python<'_>) -> PyResult<bool> {
    let (now, is_long) = event_loop.busy_time(py)?;
    let mut any = false;
    for batch in scheduler.batches(py) {
        let batch = batch.bind(py);
        let is_due = match batch.cast::<LoaderBatch>() {
            Ok(batch) => LoaderBatch::is_due(batch, now),
            Err(_) => is_long,
        };
        let is_open = !batch.state().flushing
            && !BatchBase::is_flushed(batch)
            && !BatchBase::is_in_flight(batch);
        let id = batch.state().registrations.of(scheduler.id());
        if is_due
            && is_open
            && let Some(id) = id
        {
            any = true;
            let result = steps::flush_out_of_turn(scheduler, py, id);
            handle(event_loop, py, result)?;
        }
    }
    if any && is_long {
        event_loop.end_busy();
    }
    Ok(any)
}

/// Lets the drive of an event loop call a function in its course, when it has left the contexts of all tasks.
/// Returns `False` if the loop is not driven now.
///
/// A function that returns true has made others go on: the next ones are called in another turn of the loop.
/// A function that began in the flush that asks for it would run inside a step of the scheduler.
#[pyfunction]
pub(crate) fn call_in_drive(event_loop: &Bound<'_, PyAny>, function: Py<PyAny>) -> bool {
    let Some(scheduler) = Scheduler::of_loop(event_loop) else { return false };
    let Some(event_loop) = scheduler.event_loop() else { return false };
    let is_driving = event_loop.is_driving.get();
    if is_driving {
        event_loop.starts.borrow_mut().push_back(function);
    }
    is_driving
}

/// Calls the functions that wait for this drive. Returns whether one of them has returned true.
fn call_starts(event_loop: &EventLoop, py: Python<'_>) -> PyResult<bool> {
    let mut any = false;
    loop {
        let start = event_loop.starts.borrow_mut().pop_front();
        let Some(start) = start else { return Ok(any) };
        let called = start.call0(py).and_then(|result| result.is_truthy(py));
        any |= called.as_ref().is_ok_and(|&result| result);
        handle(event_loop, py, called.map(|_| ()))?;
    }
}

/// Reports an error to the loop, unless it is an interrupt, which is returned.
fn handle(event_loop: &EventLoop, py: Python<'_>, result: PyResult<()>) -> PyResult<()> {
    match result {
        Err(error) if error.is_instance_of::<PyException>(py) => {
            report(event_loop, &error, "a task of asynq has failed outside of its code")
        }
        result => result,
    }
}

fn enter_root(scheduler: &Scheduler, event_loop: &EventLoop) {
    let mut engine = scheduler.engine();
    let root = engine.add_promise(Job::Root.into());
    engine.enter(root);
    event_loop.root.set(Some(root));
}

fn exit_root(scheduler: &Scheduler, event_loop: &EventLoop, py: Python<'_>) {
    let Some(root) = event_loop.root.take() else { return };
    let job = {
        let mut engine = scheduler.engine();
        engine.exit();
        engine.complete(root)
    };
    drop(job);
    if scheduler.engine().depth() == 0 {
        scheduler.let_go(py);
        scheduler.release_batches(py);
        scheduler.end_call(py);
    }
}

/// Guard of a drive.
struct Driving<'a>(&'a Rc<Scheduler>, &'a EventLoop);

impl<'a> Driving<'a> {
    fn begin(scheduler: &'a Rc<Scheduler>, event_loop: &'a EventLoop, py: Python<'_>) -> Self {
        event_loop.is_driving.set(true);
        scheduler.begin_drive(py);
        Self(scheduler, event_loop)
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.1.is_driving.set(false);
        Scheduler::end_drive();
        if std::thread::panicking() {
            self.1.root.set(None);
            self.0.begin_anew();
        }
    }
}
