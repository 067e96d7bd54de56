//! `LoaderHost` as Python sees it.

use asynq_explain::Reason;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pyo3::{PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::explain::hooks;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::loader::base::LoaderBase;
use crate::loader::delivery;
use crate::loader::host::{nanoseconds, seconds};
use crate::loader::key_table::spread;
use crate::loader::load::Load;
use crate::loader::nodes::{Host, LoaderBatch, LoaderHost, part};
use crate::loader::permits::Permits;
use crate::loader::send;
use crate::scheduler::inbox::Flight;
use crate::scheduler::state::Scheduler;

#[pymethods]
impl LoaderHost {
    /// `event_loop` is a weak reference, if the host is an event loop. `runs_tasks` is true if it is
    /// none, and the batch function is an `@asynq()` function.
    #[new]
    #[pyo3(signature = (
        core, event_loop, runs_tasks, max_batch_size, timeout, sends_unawaited, max_delay, hold
    ))]
    #[allow(clippy::too_many_arguments, reason = "one for each setting")]
    fn py_new(
        core: &Bound<'_, LoaderBase>,
        event_loop: Option<Py<PyAny>>,
        runs_tasks: bool,
        max_batch_size: Option<usize>,
        timeout: Option<f64>,
        sends_unawaited: bool,
        max_delay: Option<f64>,
        hold: f64,
    ) -> Self {
        let settings = asynq_loader::Settings {
            max_batch_size: max_batch_size.unwrap_or(usize::MAX),
            timeout: timeout.map(nanoseconds),
            max_delay: max_delay.map(nanoseconds),
            hold: nanoseconds(hold),
            sends_unawaited,
            ..asynq_loader::Settings::default()
        };
        let totals = std::sync::Arc::clone(&core.state().totals);
        let slots = PyDict::new(core.py()).unbind();
        Self(GilCell::new(Host::new(settings, event_loop, runs_tasks, slots, totals)))
    }

    /// Returns whether it is an event loop.
    #[getter]
    fn is_event_loop(slf: &Bound<'_, Self>) -> bool {
        slf.state().event_loop.is_some()
    }

    /// Batch that takes keys, if any.
    #[getter(open)]
    fn py_open<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, LoaderBatch>> {
        Self::open(slf)
    }

    /// Batches in flight.
    #[getter]
    fn in_flight<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, LoaderBatch>> {
        let sent = Self::sent(slf).into_iter();
        sent.filter(|batch| BatchBase::is_in_flight(batch.as_super())).collect()
    }

    /// Number of keys that were not sent.
    #[getter]
    fn unsent(slf: &Bound<'_, Self>) -> usize {
        slf.state().machine.unsent()
    }

    /// Requests that wait for their permits.
    #[getter]
    fn waiting<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, PyAny>> {
        let parts: Vec<_> = slf.state().machine.waiting_parts().collect();
        parts.into_iter().filter_map(|part| Self::request_of(slf, part)).collect()
    }

    /// Time of the event loop at which the round must be sent, whatever else can run.
    #[getter]
    fn round_deadline(slf: &Bound<'_, Self>) -> Option<f64> {
        slf.state().machine.round_deadline().map(seconds)
    }

    /// Sends the round of an event loop, or lets it wait for its permits.
    fn send(slf: &Bound<'_, Self>, loader: &Bound<'_, LoaderBase>) -> PyResult<()> {
        let open = Self::open(slf);
        let is_wanted = open.as_ref().is_some_and(|open| open.state().has_uncached);
        let because = hooks::Because::of(slf.py(), || Reason::Delay);
        let sent = send::send_round(slf, loader, open.as_ref(), is_wanted);
        drop(because);
        let started = open.map_or(Ok(()), |open| send::start_flight(slf, &open));
        sent.and(started)
    }

    /// Clears a key, whose answer may be on its way.
    fn clear(slf: &Bound<'_, Self>, cache_key: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(slot) = Self::slot_of(slf, &spread(cache_key)?)? {
            slf.state().machine.clear(slot);
        }
        Ok(())
    }

    /// Clears all keys.
    fn clear_all(slf: &Bound<'_, Self>) {
        slf.state().machine.clear_all();
    }

    // The calls of a request, each with the number of its part.

    /// Gives a request its permits. Returns its loads and keys, or None if there are none to send.
    #[pyo3(name = "permit")]
    fn py_permit<'py>(
        slf: &Bound<'py, Self>,
        number: u64,
    ) -> PyResult<Option<(Bound<'py, PyList>, Bound<'py, PyList>)>> {
        send::permit(slf, part(number))
    }

    /// Adds the flight of a request, for which the scheduler of this thread waits.
    fn watch(slf: &Bound<'_, Self>, number: u64, flight: &Bound<'_, Flight>) {
        let part = part(number);
        let (before, deadline) = {
            let mut state = slf.state();
            let deadline = state.machine.deadline(part);
            let Some(entry) = state.parts.get_mut(&part) else { return };
            (entry.flight.replace(flight.clone().unbind()), deadline)
        };
        drop(before);
        Flight::wait_at(flight, &Scheduler::current().inbox);
        Flight::set_deadline(flight, deadline.map(seconds));
    }

    /// Adds the flight of a request, and calls `begin()` when it has its permits.
    fn launch(
        slf: &Bound<'_, Self>,
        number: u64,
        flight: &Bound<'_, Flight>,
        permits: &Bound<'_, Permits>,
        begin: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        flight.state().part = Some((slf.clone().into_any().unbind(), number));
        Self::watch(slf, number, flight);
        flight.state().permits = Some(permits.clone().unbind());
        Permits::acquire_for(permits, flight.as_any(), begin)
    }

    /// Calls the batch function of a request in this thread: `function()`.
    fn call<'py>(
        slf: &Bound<'py, Self>,
        number: u64,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let outer = slf.state().calling.replace(part(number));
        let returned = function.call0();
        slf.state().calling = outer;
        returned
    }

    /// Gives the loads of a request the values for their keys. Returns the indices of the loads whose
    /// keys are missing.
    fn deliver(
        slf: &Bound<'_, Self>,
        number: u64,
        loads: &Bound<'_, PyList>,
        answer: &Bound<'_, PyAny>,
        keeps_errors: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<usize>> {
        delivery::deliver(slf, part(number), loads, answer, keeps_errors)
    }

    /// Gives the load at an index of a request its value or error.
    fn answer(
        slf: &Bound<'_, Self>,
        number: u64,
        index: usize,
        load: &Bound<'_, Load>,
        value: &Bound<'_, PyAny>,
        keeps_errors: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        delivery::answer_load(slf, part(number), index, load, value, keeps_errors)
    }

    /// Ends a request, whose call has taken so many seconds.
    fn end(
        slf: &Bound<'_, Self>,
        loader: &Bound<'_, LoaderBase>,
        number: u64,
        duration: f64,
    ) -> PyResult<()> {
        let part = part(number);
        {
            let mut state = slf.state();
            let sent_at = state.parts.get(&part).map_or(0, |part| part.sent_at);
            // All loads were given their values or errors before.
            let _ = state.machine.ended(part, sent_at + nanoseconds(duration));
        }
        send::end_part(slf, loader, part)
    }

    /// Forgets a request that has no keys.
    fn forget(slf: &Bound<'_, Self>, number: u64) {
        let part = part(number);
        let before = slf.state().parts.remove(&part);
        if let Some(flight) = before.as_ref().and_then(|part| part.flight.as_ref()) {
            Flight::finish(flight.bind(slf.py()));
        }
        drop(before);
    }

    /// Performs what the state machine has decided meanwhile.
    fn perform(slf: &Bound<'_, Self>, loader: &Bound<'_, LoaderBase>) -> PyResult<()> {
        send::perform(slf, loader)
    }

    /// Fails the keys of a request whose deadline has passed.
    fn late(slf: &Bound<'_, Self>, loader: &Bound<'_, LoaderBase>, number: u64) -> PyResult<()> {
        send::late(slf, loader, part(number))
    }

    /// Returns the time of the host at which the first key of a request will be late.
    fn deadline(slf: &Bound<'_, Self>, number: u64) -> Option<f64> {
        slf.state().machine.deadline(part(number)).map(seconds)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.take_in_traverse(&visit).map_or(Ok(()), |state| state.traverse(&visit))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = slf.state().take_references();
        drop(before);
    }
}

impl LoaderHost {
    /// Ends the wait of one who has asked for a load.
    pub(crate) fn give_up(load: &Bound<'_, Load>) -> PyResult<()> {
        let py = load.py();
        let batch = load.as_super().state().batch.as_ref().map(|batch| batch.bind(py).clone());
        let Some(batch) = batch else { return Ok(()) };
        let batch = batch.cast::<LoaderBatch>()?;
        let (Some(host), Some(loader)) = (LoaderBatch::host(batch), send::loader_of(batch)) else {
            return Ok(());
        };
        let slot = load.state().slot;
        host.state().machine.cancel(slot);
        send::perform(&host, &loader).and(Self::sweep(&host))
    }
}
