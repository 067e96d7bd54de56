//! The batches of loaders.

use std::sync::Arc;

use asynq_loader::{PartId, SlotId};
use pyo3::prelude::*;

use crate::batch::item::{BatchItemBase, resume_tracking_of_items};
use crate::ffi::gil_cell::TakeState;
use crate::loader::host::seconds;
use crate::loader::load::Load;
use crate::loader::nodes::{LoaderBatch, LoaderHost, Place};
use crate::scheduler::inbox::{Flight, Inbox};

impl LoaderBatch {
    pub(crate) fn host<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, LoaderHost>> {
        slf.state().host.as_ref().map(|host| host.bind(slf.py()).clone())
    }

    /// Adds a load with a new slot.
    pub(crate) fn add(
        slf: &Bound<'_, Self>,
        host: &Bound<'_, LoaderHost>,
        load: &Bound<'_, Load>,
        now: u64,
    ) -> SlotId {
        let is_cached = Load::is_cached(load);
        let mut keys = slf.state();
        let mut state = host.state();
        let slot = if is_cached { state.machine.load_cached() } else { state.machine.load(now) };
        state.places.insert(slot, Place { batch: keys.number, index: keys.loads.len() });
        drop(state);
        keys.loads.push(Some((slot, load.clone().unbind())));
        keys.pending += 1;
        keys.has_uncached |= !is_cached;
        drop(keys);
        load.state().slot = slot;
        slot
    }

    /// Notes that somebody waits for a load of the batch.
    pub(crate) fn want(slf: &Bound<'_, Self>, load: &Bound<'_, Load>) {
        let is_cached = Load::is_cached(load);
        let mut keys = slf.state();
        keys.is_wanted |= !is_cached;
        keys.wants_cached |= is_cached;
    }

    /// Returns the parts that have, or may have, pending loads of the batch.
    pub(crate) fn parts(slf: &Bound<'_, Self>) -> Vec<PartId> {
        let Some(host) = Self::host(slf) else { return Vec::new() };
        let (keys, state) = (slf.state(), host.state());
        let mut parts = Vec::new();
        let (mut is_unsent, mut is_late) = (false, false);
        for (slot, _) in keys.loads.iter().flatten() {
            match state.machine.part_of(*slot) {
                Some(part) if parts.last() == Some(&part) => {}
                Some(part) => parts.push(part),
                None if state.machine.is_pending(*slot) => is_unsent = true,
                // Its part had no other keys, and another thread has told nobody yet.
                None => is_late = true,
            }
        }
        parts.sort_unstable();
        parts.dedup();
        if is_unsent {
            parts.extend(state.machine.waiting_parts());
        }
        if is_late {
            parts.extend(state.parts.keys());
        }
        parts
    }

    /// Returns the flights of its parts.
    pub(crate) fn flights(slf: &Bound<'_, Self>) -> Vec<Py<Flight>> {
        let py = slf.py();
        let parts = Self::parts(slf);
        let Some(host) = Self::host(slf) else { return Vec::new() };
        let state = host.state();
        let flights = parts.iter().filter_map(|part| state.parts.get(part)?.flight.as_ref());
        flights.map(|flight| flight.clone_ref(py)).collect()
    }

    /// Makes the scheduler with this inbox wait for all flights of the batch.
    pub(crate) fn await_flights(slf: &Bound<'_, Self>, inbox: &Arc<Inbox>) {
        for flight in Self::flights(slf) {
            Flight::wait_at(flight.bind(slf.py()), inbox);
        }
    }

    /// Returns whether the batch cannot wait any longer until nothing else can run.
    pub(crate) fn is_due(slf: &Bound<'_, Self>, now: f64) -> bool {
        let Some(host) = Self::host(slf) else { return false };
        let deadline = host.state().machine.round_deadline();
        deadline.is_some_and(|deadline| seconds(deadline) <= now)
    }

    pub(crate) fn is_held(slf: &Bound<'_, Self>) -> bool {
        slf.state().holder != 0
    }

    pub(crate) fn set_holder(slf: &Bound<'_, Self>, scheduler_id: u32) {
        slf.state().holder = scheduler_id;
    }

    /// Returns the number of the scheduler that holds it, and forgets that one.
    pub(crate) fn take_holder(slf: &Bound<'_, Self>) -> u32 {
        std::mem::take(&mut slf.state().holder)
    }

    /// The scheduler does not hold it any more.
    pub(crate) fn released(slf: &Bound<'_, Self>) {
        Self::set_holder(slf, 0);
        resume_tracking_of_items(slf.as_super());
    }

    /// Makes the collector pass over a load, if a scheduler holds the batch.
    pub(crate) fn pause_tracking(slf: &Bound<'_, Self>, load: &Bound<'_, Load>) {
        if Self::is_held(slf) {
            BatchItemBase::pause_tracking(load.as_super());
        }
    }
}
