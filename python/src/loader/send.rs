//! Sending: rounds become ready, parts get their permits, and the outputs of the state machine are
//! performed.

use asynq_loader::{Output, PartId, SlotId};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::batch::base::BatchBase;
use crate::batch::flights;
use crate::batch::item::BatchItemBase;
use crate::explain::{hooks, log};
use crate::ffi::gil_cell::TakeState;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::loader::base::LoaderBase;
use crate::loader::host::seconds;
use crate::loader::load::Load;
use crate::loader::nodes::{LoaderBatch, LoaderHost, Part, number_of};
use crate::loader::outcomes::outcome_of_cached;
use crate::loader::recorded;
use crate::scheduler::inbox::Flight;
use crate::task::async_task::AsyncTask;

/// Returns the loader of a batch.
pub(crate) fn loader_of<'py>(batch: &Bound<'py, LoaderBatch>) -> Option<Bound<'py, LoaderBase>> {
    let loader = batch.state().loader.as_ref().map(|loader| loader.bind(batch.py()).clone());
    loader?.cast_into().ok()
}

/// Sends the round of a batch, or lets it wait for its permits. This is the flush of the batch.
///
/// # Errors
///
/// An interrupt, after which the batch fails. Other errors are those of the loads.
pub(crate) fn flush(batch: &Bound<'_, LoaderBatch>) -> PyResult<()> {
    let (Some(host), Some(loader)) = (LoaderBatch::host(batch), loader_of(batch)) else {
        return Err(imports::internal_error());
    };
    let is_wanted = batch.state().is_wanted;
    let sent = send_round(&host, &loader, Some(batch), is_wanted);
    match sent {
        Err(error) if !error.is_instance_of::<PyException>(batch.py()) => Err(error),
        _ => start_flight(&host, batch).and(end_round(&host, &loader)),
    }
}

/// Tells the host of an event loop that its round was sent, or is held.
fn end_round(host: &Bound<'_, LoaderHost>, loader: &Bound<'_, LoaderBase>) -> PyResult<()> {
    let is_on_loop = host.state().event_loop.is_some();
    if is_on_loop {
        host.call_method1(intern!(host.py(), "end_round"), (loader,))?;
    }
    Ok(())
}

/// Makes the round of a host ready, which may have an open batch. Performs what follows.
///
/// # Errors
///
/// The first error of a step; the others are made all the same.
pub(crate) fn send_round(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    batch: Option<&Bound<'_, LoaderBatch>>,
    is_wanted: bool,
) -> PyResult<()> {
    let now = LoaderHost::now(host)?;
    if let Some(batch) = batch {
        LoaderHost::close(host, batch);
    }
    {
        let state = &mut *host.state();
        // A signal handler has interrupted their start. What it loads must not wait for them.
        for part in &state.starting {
            if state.machine.slots_of(*part).is_none() {
                state.machine.ended(*part, now);
            }
        }
        state.machine.cached_ready(is_wanted);
        state.machine.round_ready(now);
        state.machine.round_late(now);
    }
    start_claims(host, loader)
}

/// Starts the parts that claim their permits, and performs the other outputs.
///
/// # Errors
///
/// The first error of a step; the others are made all the same.
pub(crate) fn start_claims(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
) -> PyResult<()> {
    let mut result = perform(host, loader);
    loop {
        let part = host.state().claims.pop_front();
        let Some(part) = part else { return result };
        result = result.and(start(host, loader, part));
    }
}

/// Ends the flush of a batch: its values come later, unless all loads are resolved.
pub(crate) fn start_flight(
    host: &Bound<'_, LoaderHost>,
    batch: &Bound<'_, LoaderBatch>,
) -> PyResult<()> {
    let (number, pending) = {
        let keys = batch.state();
        (keys.number, keys.pending)
    };
    if BatchBase::is_flushed(batch.as_super()) {
        return Ok(());
    }
    if pending == 0 {
        LoaderHost::forget_batch(host, number);
        return Ok(());
    }
    let flush_task = if host.state().runs_tasks {
        let task = imports::wait_for_parts(batch.py())?.call1((batch,))?;
        Some(task.cast_into::<AsyncTask>()?)
    } else {
        None
    };
    flights::start(batch.as_super(), flush_task.as_ref());
    if batch.state().pending == 0 {
        // A signal handler has called the scheduler.
        return flights::complete(batch.as_super());
    }
    Ok(())
}

/// Performs the outputs of the state machine, apart from claims.
///
/// # Errors
///
/// The first error of one of them; the others are performed all the same.
pub(crate) fn perform(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
) -> PyResult<()> {
    perform_late(host, loader, false)
}

fn perform_late(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    is_late: bool,
) -> PyResult<()> {
    let mut result = Ok(());
    loop {
        let output = host.state().machine.next_output();
        let Some(output) = output else { return result };
        let performed = match output {
            Output::Claim(part) => {
                host.state().claims.push_back(part);
                Ok(())
            }
            Output::Cancel(part) => cancel(host, part, is_late),
            Output::Resolve(slot) => resolve_cached(host, slot),
            Output::Forget(slot) => forget(host, slot),
            Output::Late(slot) => fail_late(host, loader, slot),
        };
        result = result.and(performed);
    }
}

/// Starts a part: it gets its permits, and calls the batch function.
fn start(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    part: PartId,
) -> PyResult<()> {
    let py = host.py();
    host.state().starting.push(part);
    let started = loader
        .call_method1(intern!(py, "_new_request"), (host, number_of(part)))
        .and_then(|request| {
            let (recorded, reason) =
                if log::is_on() { (log::next_number(), hooks::reason(py)) } else { (0, None) };
            let entry = Part {
                request: request.clone().unbind(),
                flight: None,
                sent: None,
                sent_at: 0,
                recorded,
                reason,
            };
            host.state().parts.insert(part, entry);
            request.call_method0(intern!(py, "send"))
        });
    if log::is_on() {
        hooks::set_sending(py, 0);
    }
    host.state().starting.retain(|&other| other != part);
    match started {
        Ok(_) => Ok(()),
        Err(error) => {
            fail_part(host, loader, part, &error)?;
            Err(error)
        }
    }
}

/// Fails a part that could not be started.
fn fail_part(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    part: PartId,
    error: &PyErr,
) -> PyResult<()> {
    let py = host.py();
    let slots = {
        let machine = &mut host.state().machine;
        machine.permit(part, 0);
        machine.ended(part, 0).map(|ended| ended.unanswered).unwrap_or_default()
    };
    let mut result = Ok(());
    for slot in slots {
        if let Some(load) = pending_load(host, slot) {
            let outcome = Outcome::from_err(py, error);
            result = result.and(resolve(load.as_super().as_super(), outcome));
        }
    }
    result.and(end_part(host, loader, part))
}

/// Forgets a part that has ended, and performs what follows.
pub(crate) fn end_part(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    part: PartId,
) -> PyResult<()> {
    // First, since a scheduler that waits for one of these loads waits for the flight.
    let performed = perform(host, loader);
    let before = host.state().parts.remove(&part);
    if log::is_on()
        && let Some(part) = &before
    {
        recorded::answered(part, host.py());
    }
    if let Some(flight) = before.as_ref().and_then(|part| part.flight.as_ref()) {
        Flight::finish(flight.bind(host.py()));
    }
    drop(before);
    performed.and(LoaderHost::sweep(host))
}

/// Gives a part its permits, in any thread. Returns its loads and keys, or `None` if there are none to
/// send. A second call returns the same.
pub(crate) fn permit<'py>(
    host: &Bound<'py, LoaderHost>,
    part: PartId,
) -> PyResult<Option<(Bound<'py, PyList>, Bound<'py, PyList>)>> {
    let py = host.py();
    let is_starting = host.state().starting.contains(&part);
    // A part that gets its permits at once is not late.
    let now = if is_starting { host.state().last_time } else { LoaderHost::now(host)? };
    let slots = {
        let mut state = host.state();
        let Some(entry) = state.parts.get(&part) else { return Ok(None) };
        if let Some((loads, keys)) = &entry.sent {
            return Ok(Some((loads.bind(py).clone(), keys.bind(py).clone())));
        }
        if state.machine.permit(part, now)
            && let Some(entry) = state.parts.get_mut(&part)
        {
            entry.sent_at = now;
        }
        state.machine.slots_of(part).map(<[SlotId]>::to_vec)
    };
    let Some(slots) = slots else { return Ok(None) };
    let loads = LoaderHost::loads_of(host, &slots);
    for load in &loads {
        load.state().is_sent = true;
    }
    if log::is_on() {
        record_sent(host, part, &loads);
    }
    let keys = PyList::new(py, loads.iter().map(Load::key))?;
    let loads = PyList::new(py, loads)?;
    let deadline = {
        let mut state = host.state();
        let deadline = state.machine.deadline(part);
        let Some(entry) = state.parts.get_mut(&part) else { return Ok(None) };
        entry.sent = Some((loads.clone().unbind(), keys.clone().unbind()));
        entry.flight.as_ref().map(|flight| (flight.bind(py).clone(), deadline))
    };
    if let Some((flight, deadline)) = deadline {
        Flight::set_deadline(&flight, deadline.map(seconds));
    }
    Ok(Some((loads, keys)))
}

#[cold]
fn record_sent(host: &Bound<'_, LoaderHost>, part: PartId, loads: &[Bound<'_, Load>]) {
    let known = host.state().parts.get(&part).map(|part| (part.recorded, part.reason));
    let Some((number, reason)) = known.filter(|&(number, _)| number != 0) else { return };
    let batch = loads.iter().find_map(|load| BatchItemBase::known_place(load.as_super()));
    let loader = batch.and_then(|(batch, _)| loader_of(batch.cast().ok()?));
    recorded::sent(loader.as_ref(), host, number, reason, loads);
    let is_starting = host.state().starting.contains(&part);
    if is_starting {
        hooks::set_sending(host.py(), number);
    }
}

/// Fails the keys of a part whose deadline has passed.
pub(crate) fn late(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    part: PartId,
) -> PyResult<()> {
    let now = LoaderHost::now(host)?;
    host.state().machine.late(part, now);
    let performed = perform_late(host, loader, true);
    set_deadlines(host);
    performed
}

/// Tells the flights of a host their deadlines, which have changed.
fn set_deadlines(host: &Bound<'_, LoaderHost>) {
    let py = host.py();
    let deadlines: Vec<_> = {
        let state = host.state();
        let deadline = |(id, part): (&PartId, &Part)| {
            let flight = part.flight.as_ref()?.bind(py).clone();
            Some((flight, state.machine.deadline(*id)))
        };
        state.parts.iter().filter_map(deadline).collect()
    };
    for (flight, deadline) in deadlines {
        Flight::set_deadline(&flight, deadline.map(seconds));
    }
}

/// Ends a part, because all of its keys are late or nobody waits for it any more.
fn cancel(host: &Bound<'_, LoaderHost>, part: PartId, is_late: bool) -> PyResult<()> {
    let Some(request) = LoaderHost::request_of(host, part) else { return Ok(()) };
    request.call_method1(intern!(host.py(), "cancel"), (is_late,)).map(|_| ())
}

fn pending_load<'py>(host: &Bound<'py, LoaderHost>, slot: SlotId) -> Option<Bound<'py, Load>> {
    LoaderHost::load_of(host, slot).filter(|load| Load::is_pending(load))
}

fn resolve_cached(host: &Bound<'_, LoaderHost>, slot: SlotId) -> PyResult<()> {
    let Some(load) = pending_load(host, slot) else { return Ok(()) };
    let Some(value) = Load::take_cached_value(&load) else { return Ok(()) };
    resolve(load.as_super().as_super(), outcome_of_cached(&value)?)
}

/// Forgets a load that nobody waits for any more.
fn forget(host: &Bound<'_, LoaderHost>, slot: SlotId) -> PyResult<()> {
    let Some(load) = LoaderHost::load_of(host, slot) else { return Ok(()) };
    let batch = load.as_super().state().batch.as_ref().map(|batch| batch.bind(host.py()).clone());
    let Some(batch) = batch else { return Ok(()) };
    let batch = batch.cast::<LoaderBatch>()?;
    let end_load = batch.state().end_load;
    end_load(batch, slot)
}

fn fail_late(
    host: &Bound<'_, LoaderHost>,
    loader: &Bound<'_, LoaderBase>,
    slot: SlotId,
) -> PyResult<()> {
    let Some(load) = pending_load(host, slot) else { return Ok(()) };
    let is_sent = load.state().is_sent;
    let error = loader.call_method1(intern!(host.py(), "_late"), (&load, is_sent));
    let (outcome, raised) = match error {
        Ok(error) => (Outcome::from_exception(&error)?, None),
        Err(raised) => (Outcome::from_err(host.py(), &raised), Some(raised)),
    };
    let resolved = resolve(load.as_super().as_super(), outcome);
    raised.map_or(resolved, Err)
}
