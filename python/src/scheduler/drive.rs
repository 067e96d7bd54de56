//! The loop of a call: it does what the engine says until the called task has ended.

use asynq_engine::{BatchId, Deadlock, Step, TaskId};
use asynq_explain::Reason;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::flights;
use crate::batch::priority::BatchPriority;
use crate::batch::recorded::number_of;
use crate::event_loop::call_step::run as run_call;
use crate::explain::{hooks, log};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::future::resolve::{resolve, resolve_items};
use crate::imports;
use crate::loader::ends;
use crate::loader::nodes::LoaderBatch;
use crate::options::Switches;
use crate::overrides::overrides;
use crate::scheduler::blocking_call;
use crate::scheduler::contexts;
use crate::scheduler::deadlock;
use crate::scheduler::handle::TaskScheduler;
use crate::scheduler::job::Job;
use crate::scheduler::recorded;
use crate::scheduler::register;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, PendingError};
use crate::task::step;

/// Runs `task`, and whatever it needs, until it has its value or error.
///
/// # Errors
///
/// If that cannot be done from here. The error of the task itself is its outcome.
pub(crate) fn run(task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    if !FutureBase::is_pending(task.as_super()) {
        return Ok(());
    }
    let py = task.py();
    let scheduler = Scheduler::current();
    scheduler.settle();
    if Switches::on().has(Switches::DUMP_SYNC_CALLS) && AsyncTask::creator(task).is_some() {
        imports::trace(py, "sync_call", (task,));
    }
    let scheduler_id = task.as_super().header().scheduler_id.get();
    let engine_id = task.as_super().state().engine_id;
    let root = match engine_id {
        Some(engine_id) => {
            scheduler.check_thread(scheduler_id, task.as_any())?;
            engine_id
        }
        None => register::add(&scheduler, task.as_super(), Kind::Task, false)?,
    };
    if log::is_on() {
        recorded::calls(&scheduler, task);
    }
    scheduler.engine().enter(root);
    let runs_in_place = task.state().rare.as_ref().is_some_and(|rare| rare.runs_in_place);
    finish(&scheduler, task, runs_in_place)
}

/// Drives the innermost call, which is that of `task`, to its end. `in_place` tells whether the task
/// runs in the context of its caller.
pub(crate) fn finish(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    in_place: bool,
) -> PyResult<()> {
    let py = task.py();
    let variables = scheduler.variables.begin_call(py, in_place.then_some(task));
    let _begin_anew = BeginAnew(scheduler);
    let _waiting = scheduler.call_stack.wait();
    let id = scheduler.id();
    let session = log::is_on().then(|| hooks::session_of(py, AsyncTask::recorded(task)));
    let mut result = Ok(());
    let mut is_checked = false;
    loop {
        if scheduler.id() != id {
            // A call inside of this one has panicked, and code of the user has caught that.
            return Err(imports::internal_error());
        }
        if let Some(error) = scheduler.take_start_error() {
            scheduler.engine().abandon();
            result = result.and(Err(error));
        }
        if scheduler.inbox.has_news(py)
            && let Err(error) = receive(scheduler, py)
        {
            scheduler.engine().abandon();
            result = result.and(Err(error));
        }
        let next = scheduler.engine().next();
        let needs_loop = matches!(next, Step::Wait)
            && scheduler.event_loop().is_some()
            && !scheduler.inbox.has_flights(py);
        let blocks = matches!(next, Step::Flush(_) | Step::Wait) && !needs_loop;
        let is_first = blocks && !std::mem::replace(&mut is_checked, true);
        let done = match next {
            Step::Done => break,
            step if is_first && blocking_call::needs_warning(scheduler, py) => {
                // It runs code of the user, which may load from the same source, or flush it.
                if let Step::Flush(id) = step {
                    scheduler.engine().reopen(id);
                }
                blocking_call::warn(scheduler, task)
            }
            Step::Wait if needs_loop => Err(blocks_itself(task)),
            Step::Wait => scheduler.inbox.wait(py, other_flushes(scheduler, py)),
            Step::Deadlock(report) => stuck(scheduler, py, task, &report),
            step => perform(scheduler, py, &step),
        };
        if let Err(error) = done {
            if result.is_ok() {
                result = Err(error);
            }
            scheduler.engine().abandon();
        }
    }
    drop(variables);
    let (depth, has_rest) = {
        let mut engine = scheduler.engine();
        engine.exit();
        (engine.depth(), engine.task_count() > 0 || engine.batch_count() > 0)
    };
    if let Some(session) = session {
        hooks::returns(py, session, id, depth);
    }
    if depth == 0 {
        if has_rest {
            scheduler.let_go(py);
        }
        scheduler.release_batches(py);
        scheduler.end_call(py);
    }
    result
}

/// Handles what other threads have for the scheduler.
#[cold]
fn receive(scheduler: &Scheduler, py: Python<'_>) -> PyResult<()> {
    scheduler.read_inbox(py);
    if scheduler.inbox.has_flights(py) { flights::deliver(scheduler, py) } else { Ok(()) }
}

/// Makes the error of a synchronous call on an event loop that waits for something of the loop.
#[cold]
fn blocks_itself(task: &Bound<'_, AsyncTask>) -> PyErr {
    let name = deadlock::name(task.as_any());
    PyRuntimeError::new_err(format!(
        "{name} is called synchronously on an event loop, and waits for something that only the loop \
         can bring: write `await f.asyncio(...)`, or `yield f.asynq(...)` in an async function"
    ))
}

/// Performs a step that is neither the end of a call nor a wait.
///
/// # Errors
///
/// The error of code outside of tasks: a hook, a subscriber, a context whose task has ended; an
/// interrupt.
pub(crate) fn perform(scheduler: &Scheduler, py: Python<'_>, step: &Step) -> PyResult<()> {
    match *step {
        Step::Run(id) => run_job(scheduler, py, id),
        Step::Flush(id) => flush(scheduler, py, id, false),
        Step::Pause(id) => contexts::switch(scheduler, py, id, intern!(py, "pause")),
        Step::Resume(id) => contexts::switch(scheduler, py, id, intern!(py, "resume")),
        Step::Priority(id) => {
            ask_priority(scheduler, py, id);
            Ok(())
        }
        Step::Done | Step::Wait | Step::Deadlock(_) => Ok(()),
    }
}

/// Flushes a batch that the engine has not chosen, under the contexts that are common to those who wait.
///
/// # Errors
///
/// The same as of [`perform`].
pub(crate) fn flush_out_of_turn(
    scheduler: &Scheduler,
    py: Python<'_>,
    id: BatchId,
) -> PyResult<()> {
    scheduler.engine().begin_flush(id);
    let scope = scheduler.engine().flush_scope(id);
    scheduler.engine().reopen(id); // Pauses and resumes are code of the user.
    let switched = contexts::switch_to(scheduler, py, scope);
    let is_open = scheduler.engine().batch(id).is_some_and(|batch| {
        let batch = batch.bind(py);
        !BatchBase::is_flushed(batch) && !BatchBase::is_in_flight(batch)
    });
    if is_open { switched.and(flush(scheduler, py, id, true)) } else { switched.map(|_| ()) }
}

/// Returns whether another greenlet is flushing a batch of this scheduler.
fn other_flushes(scheduler: &Scheduler, py: Python<'_>) -> bool {
    let batches = scheduler.batches(py);
    batches.iter().any(|batch| {
        let state = batch.bind(py).state();
        state.flushing && scheduler.is_of_other_greenlet(state.flushed_by)
    })
}

/// Replaces the scheduler if it panics, so that its thread stays usable.
struct BeginAnew<'a>(&'a Scheduler);

impl Drop for BeginAnew<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.begin_anew();
        }
    }
}

fn run_job(scheduler: &Scheduler, py: Python<'_>, id: TaskId) -> PyResult<()> {
    match scheduler.job(py, id) {
        Some(Job::Task(task)) if Switches::on().none_but_record() => {
            step::run(scheduler, &task.into_bound(py))
        }
        Some(Job::Task(task)) => run_observed(scheduler, task.bind(py)),
        Some(Job::Future(future)) => step::compute(scheduler, future.bind(py)),
        Some(Job::Call(call)) => {
            run_call(scheduler, call.bind(py));
            Ok(())
        }
        Some(Job::Root) | None => Ok(()),
    }
}

/// Runs one step, with everything that the debug options ask for.
#[cold]
fn run_observed(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let switches = Switches::on();
    if switches.has(Switches::DUMP_SCHEDULER_STATE) {
        imports::trace(py, "scheduler_state", (scheduler.handle(py)?,));
    }
    if switches.has(Switches::DUMP_CONTINUE_TASK) {
        imports::trace(py, "continue_begin", (task,));
    }
    let began = std::time::Instant::now();
    let done = step::run(scheduler, task);
    if switches.has(Switches::COLLECT_PERF_STATS) {
        let mut state = task.state();
        let total_time = &mut state.rare().total_time;
        *total_time = total_time.saturating_add(microseconds(began));
        drop(state);
        if !FutureBase::is_pending(task.as_super()) {
            imports::describe(py, "task_dump_perf_stats", (task,))?;
        }
    }
    if switches.has(Switches::DUMP_CONTINUE_TASK) {
        imports::trace(py, "continue_end", (task,));
    }
    done
}

fn microseconds(since: std::time::Instant) -> i64 {
    i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// Asks a batch for its priority. A batch that raises fails.
fn ask_priority(scheduler: &Scheduler, py: Python<'_>, id: BatchId) {
    scheduler.variables.exit(py);
    let batch = match scheduler.engine().batch(id) {
        Some(batch) => batch.bind(py).clone(),
        None => return,
    };
    let priority = batch.call_method0(intern!(py, "get_priority")).and_then(|priority| {
        if log::is_on() {
            hooks::set_priority(py, number_of(&batch), &priority);
        }
        BatchPriority::extract(&priority)
    });
    match priority {
        Ok(priority) => scheduler.engine().set_priority(id, priority),
        Err(error) => fail(scheduler, &batch, id, &error),
    }
}

/// Fails a batch before its flush: its items get the error.
fn fail(scheduler: &Scheduler, batch: &Bound<'_, BatchBase>, id: BatchId, error: &PyErr) {
    let py = batch.py();
    if !BatchBase::is_flushed(batch)
        && let Err(error) = resolve(batch.as_super(), Outcome::from_err(py, error))
    {
        error.write_unraisable(py, Some(batch.as_any()));
    }
    close(scheduler, id);
}

/// Flushes a batch that the engine has chosen.
fn flush(scheduler: &Scheduler, py: Python<'_>, id: BatchId, out_of_turn: bool) -> PyResult<()> {
    scheduler.variables.exit(py);
    let batch = match scheduler.engine().batch(id) {
        Some(batch) => batch.bind(py).clone(),
        None => return Ok(()),
    };
    // As long as code of the user runs that may load from the same source, the batch is open.
    if let Ok(batch_of_loader) = batch.cast::<LoaderBatch>()
        && ends::waits_for_cached_alone(batch_of_loader)
    {
        scheduler.engine().reopen(id);
        let resolved = ends::resolve_cached(batch_of_loader);
        batch.state().registrations.remove(scheduler.id());
        close(scheduler, id);
        return resolved;
    }
    if overrides::<BatchBase>(&batch, intern!(py, "flush")) {
        scheduler.engine().reopen(id);
    }
    let hooks = scheduler.hooks(py);
    if let Some(hook) = hooks.as_ref().and_then(TaskScheduler::before_flush) {
        scheduler.engine().reopen(id);
        if let Err(error) = hook.call1((&batch,)) {
            fail(scheduler, &batch, id, &error);
            return Ok(());
        }
        if BatchBase::is_flushed(&batch) || BatchBase::is_in_flight(&batch) {
            return Ok(()); // A call in the hook has waited for it.
        }
    }
    let began = std::time::Instant::now();
    let because = hooks::Because::of(py, || reason(scheduler, out_of_turn));
    let flushed = batch.call_method0(intern!(py, "flush"));
    drop(because);
    if let Err(error) = &flushed
        && !BatchBase::is_flushed(&batch)
    {
        fail(scheduler, &batch, id, error);
    }
    if Switches::on().has(Switches::COLLECT_PERF_STATS) {
        batch.call_method1(intern!(py, "dump_perf_stats"), (microseconds(began),))?;
    }
    let in_flight = BatchBase::is_in_flight(&batch);
    if !in_flight && !BatchBase::is_flushed(&batch) {
        // A `flush` of its own that has not computed the batch: the items must not wait for ever.
        resolve_items(&batch)?;
    }
    if !in_flight {
        close(scheduler, id);
    }
    let after = match hooks.as_ref().and_then(TaskScheduler::after_flush) {
        Some(hook) => hook.call1((&batch,)).map(|_| ()),
        None => Ok(()),
    };
    match flushed {
        // Nobody else has got it.
        Err(error) if !error.is_instance_of::<PyException>(py) => Err(error),
        _ => after,
    }
}

/// Returns the reason of a flush by the scheduler.
#[cold]
fn reason(scheduler: &Scheduler, out_of_turn: bool) -> Reason {
    // On an event loop, its drive is the outermost call.
    let outermost =
        1 + usize::from(scheduler.event_loop().is_some_and(|one| one.root.get().is_some()));
    if out_of_turn {
        Reason::Delay
    } else if scheduler.unsettled_engine().depth() > outermost {
        Reason::Call
    } else {
        Reason::Idle
    }
}

fn close(scheduler: &Scheduler, id: BatchId) {
    let batch = scheduler.engine().close(id);
    drop(batch);
}

/// Reports a deadlock: the tasks at fault get an error that says why, or else the call fails.
fn stuck(
    scheduler: &Scheduler,
    py: Python<'_>,
    root: &Bound<'_, AsyncTask>,
    report: &Deadlock,
) -> PyResult<()> {
    let root = deadlock::name(root.as_any());
    let message = deadlock::describe(scheduler, py, &root, report);
    if report.victims.is_empty() {
        return Err(imports::new_error(imports::task_error, py, message));
    }
    report.victims.iter().try_for_each(|&victim| fail_victim(scheduler, py, victim, &message))
}

/// Fails a task that can never go on. It gets the error when it runs next.
pub(crate) fn fail_victim(
    scheduler: &Scheduler,
    py: Python<'_>,
    victim: TaskId,
    message: &str,
) -> PyResult<()> {
    let error = imports::new_error(imports::task_error, py, message);
    let future = match scheduler.job(py, victim) {
        Some(Job::Future(future)) => Some(future.into_bound(py)),
        _ => None,
    };
    if let Some(future) = future {
        return resolve(&future, Outcome::from_err(py, &error));
    }
    contexts::set_pending_error(scheduler, py, victim, PendingError::Throw(error));
    Ok(())
}
