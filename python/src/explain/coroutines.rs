//! Coroutines of asyncio that call async functions and loaders: in a recording they are tasks.
//!
//! asyncio does not tell what a coroutine waits for. So one that makes another call has seen the calls that it
//! has made and that have ended, and whatever has ended in its recording: it may have been started by
//! somebody who has seen that.

use pyo3::prelude::*;

use crate::explain::log::{self, Caller, Log};
use crate::explain::places;
use crate::explain::step::{Need, Step};
use crate::explain::tasks::Task;
use crate::imports;
use crate::scheduler::running::running_loop;

/// Returns the number of the coroutine that makes a call now; `None` if no event loop runs.
pub(crate) fn current(py: Python<'_>, session: u32, thread: u32) -> Option<u32> {
    let event_loop = running_loop(py).ok()??;
    let found = imports::recorded_coroutine(py).ok()?.call1((event_loop, log::epoch())).ok()?;
    let (number, coroutine): (Option<u32>, Bound<'_, PyAny>) = found.extract().ok()?;
    let known =
        number.filter(|number| log::with(py, |log| log.tasks.contains(*number)).unwrap_or(false));
    if let Some(number) = known {
        log::with(py, |log| see(log, number));
        return Some(number);
    }
    let code = coroutine.getattr_opt("cr_code").ok().flatten()?;
    let (code, site, is_internal) = places::definition(&code);
    let number = log::with(py, |log| {
        let id = log::next_number();
        log.tasks.insert(id, Task { session, code, is_internal, ..Task::default() });
        log.push(session, Step::Task { id, thread, site, by: 0, at: 0, contexts: 0, flush: 0 });
        log.callers.insert(id, Caller::default());
        see(log, id);
        id
    })?;
    imports::record_coroutine(py).ok()?.call1((number, log::epoch())).ok()?;
    Some(number)
}

/// Notes a call that a coroutine has made.
pub(crate) fn note(log: &mut Log, caller: u32, call: Need, at: u32) {
    if let Some(caller) = log.callers.get_mut(&caller) {
        caller.calls.push((call, at));
    }
    if let Need::Item(item) = call
        && let Some(batch) = log.batches.get_mut(&item.batch)
    {
        batch.of_coroutine = Some(item);
    }
}

/// Records that a coroutine has seen the values of the calls that have ended.
fn see(log: &mut Log, caller: u32) {
    let session = log.tasks.get(caller).map_or(0, |task| task.session);
    let last = log.session(session).and_then(|session| session.last_ended);
    let Some(Caller { mut calls, seen }) = log.callers.remove(&caller) else { return };
    let mut ended = Vec::new();
    calls.retain(|&(call, at)| {
        let is_pending = match call {
            Need::Task(task) => log.tasks.contains(task),
            Need::Item(item) => log.batches.contains_key(&item.batch),
        };
        if !is_pending {
            ended.push((call, at));
        }
        is_pending
    });
    if let Some(last) = last.filter(|&last| Some(last) != seen)
        && !ended.iter().any(|&(call, _)| call == last)
    {
        ended.insert(0, (last, 0));
    }
    for (need, at) in ended {
        log.push(session, Step::Needs { need });
        log.push(session, Step::Wait { task: caller, at });
        log.push(session, Step::Run { task: caller });
    }
    log.callers.insert(caller, Caller { calls, seen: last });
}
