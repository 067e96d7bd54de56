//! The loads of a loader on one host.

use asynq_loader::{PartId, SlotId, Stats};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefReference};
use slotmap::{Key, KeyData};

use crate::batch::base::BatchBase;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::TakeState;
use crate::loader::load::Load;
use crate::loader::nodes::{LoaderBatch, LoaderHost, Open, Place};
use crate::scheduler::inbox;

impl LoaderHost {
    /// Returns the time of the state machine, in nanoseconds. It is that of the event loop or of
    /// `time.monotonic()`, or 0 where it does not matter.
    pub(crate) fn now(slf: &Bound<'_, Self>) -> PyResult<u64> {
        let py = slf.py();
        let (settings, event_loop) = {
            let state = slf.state();
            let event_loop = state.event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py));
            (*state.machine.settings(), event_loop)
        };
        let seconds = match event_loop {
            Some(event_loop) => {
                let event_loop = event_loop.call0(py)?;
                if event_loop.is_none(py) {
                    0.0
                } else {
                    event_loop.call_method0(py, intern!(py, "time"))?.extract(py)?
                }
            }
            None if settings.timeout.is_some() => inbox::now(py)?,
            None => 0.0,
        };
        let mut state = slf.state();
        state.last_time = state.last_time.max(nanoseconds(seconds));
        Ok(state.last_time)
    }

    /// Returns the time of a load. If only the first key of a round matters, it is that of the first key:
    /// to ask an event loop for its time takes longer than to load.
    pub(crate) fn time_of_load(slf: &Bound<'_, Self>) -> PyResult<u64> {
        {
            let state = slf.state();
            let settings = state.machine.settings();
            let is_split = settings.hold > 0 || settings.max_batch_size < usize::MAX;
            if !is_split && state.machine.unsent() > 0 {
                return Ok(state.last_time);
            }
        }
        Self::now(slf)
    }

    /// Makes a batch the one that takes keys: of a bound loader, as long as somebody holds a load.
    /// Returns its number.
    pub(crate) fn set_open(
        slf: &Bound<'_, Self>,
        batch: &Bound<'_, LoaderBatch>,
        is_bound: bool,
    ) -> PyResult<u64> {
        let open = if is_bound {
            Open::Weak(PyWeakrefReference::new(batch)?.unbind())
        } else {
            Open::Strong(batch.clone().unbind())
        };
        let (number, before) = {
            let mut state = slf.state();
            state.last_batch += 1;
            let number = state.last_batch;
            (number, state.open.replace((number, open)))
        };
        if let Some((_, Open::Strong(before))) = before {
            defer_drop(Some(before));
        }
        Ok(number)
    }

    /// Returns the batch that takes keys, if any. One that is being flushed takes none: a signal
    /// handler may call the loader before the batch is closed, or prevent that by an exception.
    pub(crate) fn open<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, LoaderBatch>> {
        let (_, open) = Self::last_open(slf)?;
        let base = open.as_super();
        let is_open = !base.state().flushing
            && !BatchBase::is_flushed(base)
            && !BatchBase::is_in_flight(base);
        is_open.then_some(open)
    }

    fn last_open<'py>(slf: &Bound<'py, Self>) -> Option<(u64, Bound<'py, LoaderBatch>)> {
        let py = slf.py();
        let (number, weak) = match &slf.state().open {
            Some((number, Open::Strong(batch))) => return Some((*number, batch.bind(py).clone())),
            Some((number, Open::Weak(batch))) => (*number, batch.bind(py).clone()),
            None => return None,
        };
        Some((number, weak.upgrade()?.cast_into().ok()?))
    }

    /// Makes a batch one that was sent: it takes no more keys.
    pub(crate) fn close(slf: &Bound<'_, Self>, batch: &Bound<'_, LoaderBatch>) {
        let number = batch.state().number;
        let before = {
            let mut state = slf.state();
            let is_open = state.is_open(number);
            state.sent.insert(number, batch.clone().unbind());
            if is_open { state.open.take() } else { None }
        };
        drop(before);
    }

    /// Forgets a batch without pending loads.
    pub(crate) fn forget_batch(slf: &Bound<'_, Self>, number: u64) {
        let before = slf.state().sent.remove(&number);
        defer_drop(before);
    }

    /// Returns the batches that were sent and have pending loads.
    pub(crate) fn sent<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, LoaderBatch>> {
        slf.state().sent.values().map(|batch| batch.bind(slf.py()).clone()).collect()
    }

    /// Returns the load of a slot.
    pub(crate) fn load_of<'py>(slf: &Bound<'py, Self>, slot: SlotId) -> Option<Bound<'py, Load>> {
        let place = *slf.state().places.get(slot)?;
        load_at(&Self::batch(slf, place.batch)?, place)
    }

    /// Returns the loads of slots, as far as they have not ended.
    pub(crate) fn loads_of<'py>(slf: &Bound<'py, Self>, slots: &[SlotId]) -> Vec<Bound<'py, Load>> {
        let mut loads = Vec::with_capacity(slots.len());
        // Nearly always, all of them are in one batch.
        let mut last: Option<(u64, Bound<'py, LoaderBatch>)> = None;
        for &slot in slots {
            let Some(place) = slf.state().places.get(slot).copied() else { continue };
            if last.as_ref().is_none_or(|(number, _)| *number != place.batch) {
                last = Self::batch(slf, place.batch).map(|batch| (place.batch, batch));
            }
            loads.extend(last.as_ref().and_then(|(_, batch)| load_at(batch, place)));
        }
        loads
    }

    /// Returns the batch with a number, which was sent and has pending loads, or takes keys.
    fn batch<'py>(slf: &Bound<'py, Self>, number: u64) -> Option<Bound<'py, LoaderBatch>> {
        let (sent, is_open) = {
            let state = slf.state();
            let sent = state.sent.get(&number).map(|batch| batch.bind(slf.py()).clone());
            (sent, state.is_open(number))
        };
        match sent {
            Some(batch) => Some(batch),
            None if is_open => Some(Self::last_open(slf)?.1),
            None => None,
        }
    }

    /// Returns the number of the slot that a key has got last. `key` is [spread](super::key_table).
    pub(crate) fn slot_of(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Option<SlotId>> {
        let slots = slf.state().slots.as_ref().map(|slots| slots.bind(slf.py()).clone());
        let Some(slots) = slots else { return Ok(None) };
        let Some(number) = slots.get_item(key)? else { return Ok(None) };
        Ok(Some(KeyData::from_ffi(number.extract()?).into()))
    }

    /// Gives a key a slot.
    pub(crate) fn set_slot(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        slot: SlotId,
    ) -> PyResult<()> {
        let slots = slf.state().slots.as_ref().map(|slots| slots.bind(slf.py()).clone());
        slots.map_or(Ok(()), |slots| slots.set_item(key, slot.data().as_ffi()))
    }

    /// Forgets the keys of slots that have ended, if these are most of the keys.
    pub(crate) fn sweep(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (slots, pending) = {
            let state = slf.state();
            let Some(slots) = &state.slots else { return Ok(()) };
            (slots.bind(py).clone(), state.machine.pending())
        };
        let count = slots.len();
        if count == 0 || (pending > 0 && count < 2 * pending + 16) {
            return Ok(());
        }
        if pending == 0 {
            slots.clear();
            return Ok(());
        }
        // Hashing keys may run code of users, which adds keys to the old table. At worst, such a key
        // is sent twice.
        let kept = PyDict::new(py);
        for (key, number) in slots.copy()?.iter() {
            let slot: SlotId = KeyData::from_ffi(number.extract()?).into();
            let is_pending = slf.state().machine.is_pending(slot);
            if is_pending {
                kept.set_item(key, number)?;
            }
        }
        let before = slf.state().slots.replace(kept.unbind());
        drop(before);
        Ok(())
    }

    /// Returns the request of a part.
    pub(crate) fn request_of<'py>(
        slf: &Bound<'py, Self>,
        part: PartId,
    ) -> Option<Bound<'py, PyAny>> {
        slf.state().parts.get(&part).map(|part| part.request.bind(slf.py()).clone())
    }

    /// Returns the counts of this host.
    pub(crate) fn stats(slf: &Bound<'_, Self>) -> Stats {
        slf.state().machine.stats()
    }
}

fn load_at<'py>(batch: &Bound<'py, LoaderBatch>, place: Place) -> Option<Bound<'py, Load>> {
    let keys = batch.state();
    let (_, load) = keys.loads.get(place.index)?.as_ref()?;
    Some(load.bind(batch.py()).clone())
}

/// Returns a time in nanoseconds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a clock has no negative times, and centuries fit"
)]
pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// Returns a time in seconds.
#[allow(clippy::cast_precision_loss, reason = "a clock is not exact to the nanosecond")]
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
