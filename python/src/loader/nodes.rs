//! `LoaderHost` and `LoaderBatch`, which refer to each other: their states.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use asynq_explain::Reason;
use asynq_loader::{Loader as Machine, PartId, SlotId, Stats};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyWeakrefReference};
use slotmap::{Key, KeyData, SecondaryMap};

use crate::batch::base::BatchBase;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::loader::load::Load;
use crate::scheduler::inbox::Flight;

/// The loads of a loader on one host: a thread, a greenlet, an event loop. `asynq_loader` decides about
/// them.
///
/// # Note: who holds a load
///
/// A batch holds its loads, the host holds the batches that were sent, and their requests the loads of
/// their parts. The open batch of a bound loader is held only by its loads: it refers to the instance,
/// which must die if nobody has a load of it. So the host knows a load by its place in a batch.
#[pyclass(frozen, subclass, weakref, module = "asynq.loaders")]
pub(crate) struct LoaderHost(pub(crate) GilCell<Host>);

has_state!(LoaderHost: Host);

/// State of a [`LoaderHost`].
pub(crate) struct Host {
    pub(crate) machine: Machine,
    /// A weak reference to the event loop, if it is one.
    pub(crate) event_loop: Option<Py<PyAny>>,
    /// The batch function is an `@asynq()` function, which runs as a task.
    pub(crate) runs_tasks: bool,
    /// Number of the slot that each key has got last; see [`spread`](super::key_table::spread). Slots
    /// that have ended are removed from time to time.
    pub(crate) slots: Option<Py<PyDict>>,
    pub(crate) places: SecondaryMap<SlotId, Place>,
    pub(crate) open: Option<(u64, Open)>,
    /// Batches that were sent and have pending loads, by their numbers.
    pub(crate) sent: BTreeMap<u64, Py<LoaderBatch>>,
    pub(crate) last_batch: u64,
    pub(crate) parts: HashMap<PartId, Part>,
    /// Parts that are to be started.
    pub(crate) claims: VecDeque<PartId>,
    /// Parts that are being started.
    pub(crate) starting: Vec<PartId>,
    /// Part whose function is called by this thread.
    pub(crate) calling: Option<PartId>,
    pub(crate) last_time: u64,
    /// Number of the loader as a source in a log, and the epoch of that.
    pub(crate) recorded_source: (u32, u32),
    totals: Arc<GilCell<Stats>>,
}

/// Place of a load.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) batch: u64,
    pub(crate) index: usize,
}

/// Reference to the batch that takes keys.
pub(crate) enum Open {
    Strong(Py<LoaderBatch>),
    Weak(Py<PyWeakrefReference>),
}

/// A part that has not ended.
pub(crate) struct Part {
    /// The `Request` that makes the call.
    pub(crate) request: Py<PyAny>,
    pub(crate) flight: Option<Py<Flight>>,
    /// Loads and keys, once it was sent.
    pub(crate) sent: Option<(Py<PyList>, Py<PyList>)>,
    pub(crate) sent_at: u64,
    /// Number of the request in the log of `asynq.explain()`, 0 for none, and why it is sent.
    pub(crate) recorded: u32,
    pub(crate) reason: Option<Reason>,
}

impl Host {
    pub(crate) fn new(
        settings: asynq_loader::Settings,
        event_loop: Option<Py<PyAny>>,
        runs_tasks: bool,
        slots: Py<PyDict>,
        totals: Arc<GilCell<Stats>>,
    ) -> Self {
        Self {
            machine: Machine::new(settings),
            event_loop,
            runs_tasks,
            slots: Some(slots),
            places: SecondaryMap::new(),
            open: None,
            sent: BTreeMap::new(),
            last_batch: 0,
            parts: HashMap::new(),
            claims: VecDeque::new(),
            starting: Vec::new(),
            calling: None,
            last_time: 0,
            recorded_source: (0, 0),
            totals,
        }
    }

    /// Returns whether the time at which a key is loaded matters.
    pub(crate) fn is_timed(&self) -> bool {
        let settings = self.machine.settings();
        settings.hold > 0 || settings.max_delay.is_some()
    }

    /// Returns whether the batch with this number takes keys.
    pub(crate) fn is_open(&self, number: u64) -> bool {
        self.open.as_ref().is_some_and(|&(open, _)| open == number)
    }

    /// Visits what it refers to.
    pub(crate) fn traverse(&self, visit: &pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.slots)?;
        match &self.open {
            Some((_, Open::Strong(batch))) => visit.call(batch)?,
            Some((_, Open::Weak(batch))) => visit.call(batch)?,
            None => {}
        }
        self.sent.values().try_for_each(|batch| visit.call(batch))?;
        for part in self.parts.values() {
            visit.call(&part.request)?;
            visit.call(&part.flight)?;
            if let Some((loads, keys)) = &part.sent {
                visit.call(loads)?;
                visit.call(keys)?;
            }
        }
        Ok(())
    }

    /// Takes everything that it refers to.
    pub(crate) fn take_references(&mut self) -> impl Sized + use<> {
        let slots = (self.event_loop.take(), self.slots.take());
        let batches = (self.open.take(), std::mem::take(&mut self.sent));
        (slots, batches, std::mem::take(&mut self.parts))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some((_, Open::Strong(batch))) = self.open.take() {
            defer_drop(Some(batch));
        }
        let stats = self.machine.stats();
        let totals = Arc::clone(&self.totals);
        Python::try_attach(|py| add_stats(&mut totals.take(py), stats));
    }
}

/// Adds the counts of a host to those of others.
pub(crate) fn add_stats(totals: &mut Stats, stats: Stats) {
    totals.batches += stats.batches;
    totals.keys += stats.keys;
    totals.hits += stats.hits;
    totals.largest = totals.largest.max(stats.largest);
    totals.time += stats.time;
}

/// Returns the number by which Python knows a part.
pub(crate) fn number_of(part: PartId) -> u64 {
    part.data().as_ffi()
}

/// Returns the part with a number.
pub(crate) fn part(number: u64) -> PartId {
    KeyData::from_ffi(number).into()
}

/// The loads that were made since the last flush.
///
/// Its flush makes the round of the loader ready. The keys of one round may be those of several
/// batches, if it had to wait for a permit. The flight of a batch ends when all its loads are resolved.
#[pyclass(frozen, extends = BatchBase, subclass, weakref, module = "asynq.loaders")]
pub(crate) struct LoaderBatch(pub(crate) GilCell<Keys>);

has_state!(LoaderBatch: Keys);

/// State of a [`LoaderBatch`].
pub(crate) struct Keys {
    /// The `LoaderBase` of the keys.
    pub(crate) loader: Option<Py<PyAny>>,
    pub(crate) host: Option<Py<LoaderHost>>,
    /// Its number on the host, from 1.
    pub(crate) number: u64,
    pub(crate) loads: Vec<Option<(SlotId, Py<Load>)>>,
    /// Number of pending loads.
    pub(crate) pending: usize,
    /// Number of the scheduler that holds the batch, 0 for none.
    pub(crate) holder: u32,
    /// True once a load was made whose value is not cached.
    pub(crate) has_uncached: bool,
    /// True once somebody waits for such a load.
    pub(crate) is_wanted: bool,
    /// True if somebody waits for a load of a cached key.
    pub(crate) wants_cached: bool,
    /// Follows the end of one of its loads. Not called by name, because it is above futures.
    pub(crate) end_load: fn(&Bound<'_, LoaderBatch>, SlotId) -> PyResult<()>,
}

impl Keys {
    /// Creates a batch of no loader. `end_load` follows the end of one of its loads.
    pub(crate) fn new(end_load: fn(&Bound<'_, LoaderBatch>, SlotId) -> PyResult<()>) -> Self {
        Self {
            loader: None,
            host: None,
            number: 0,
            loads: Vec::new(),
            pending: 0,
            holder: 0,
            has_uncached: false,
            is_wanted: false,
            wants_cached: false,
            end_load,
        }
    }

    /// Withdraws the loads of a batch that dies before it is sent.
    pub(crate) fn withdraw_all(&mut self, py: Python<'_>) {
        let Some(host) = self.host.as_ref().filter(|_| self.pending > 0) else { return };
        let mut state = host.bind(py).state();
        for (slot, _) in self.loads.iter().flatten() {
            if state.places.remove(*slot).is_some() && !state.machine.withdraw(*slot) {
                state.machine.clear(*slot);
            }
        }
        self.pending = 0;
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if self.pending > 0 {
            Python::try_attach(|py| self.withdraw_all(py));
        }
    }
}
