//! The hooks of requests outside of tasks, which are recorded as tasks.

use std::sync::atomic::{AtomicU64, Ordering};

use super::is_on;
use super::logs::each;
use super::session::Request;
use super::step::{At, Need, Place, Step};
use super::tables::Task;
use super::thread_log::ThreadLog;
use crate::call_stack::Site;

/// Function of code in a request outside of tasks.
static REQUEST: Site = Site::new("request");

/// A request outside of tasks.
#[derive(Clone, Copy)]
pub(crate) struct RecordedRequest {
    number: u64,
    /// Place where it was made; `None` for one that is not recorded.
    at: Option<Place>,
}

impl RecordedRequest {
    /// One of this crate, which users do not know.
    pub(crate) const NONE: Self = Self { number: 0, at: None };

    pub(crate) fn new(at: Place) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self { number: LAST.fetch_add(1, Ordering::Relaxed), at: Some(at) }
    }

    /// Records that the request is polled.
    #[inline]
    pub(crate) fn begin_poll(&self) {
        if let Some(at) = self.at
            && is_on()
        {
            each(|log| log.begin_request(self.number, at));
        }
    }

    /// Records that the request waits, or has ended.
    #[inline]
    pub(crate) fn end_poll(&self, has_ended: bool) {
        if self.at.is_some() && is_on() {
            each(|log| log.end_request(self.number, has_ended));
        }
    }
}

impl ThreadLog {
    fn begin_request(&mut self, number: u64, at: Place) {
        let known = self.session.state().requests.get(&number).map(|request| request.id);
        self.clock.read(&self.session);
        let id = known.unwrap_or_else(|| {
            let (id, thread) = (self.new_id(), self.thread());
            let (by, awaited) = (None, None);
            self.push(Step::Task {
                id,
                thread,
                function: &REQUEST,
                at,
                awaited,
                by,
                contexts: 0,
                flush: 0,
            });
            self.session.state().requests.insert(number, Request { id, loads: Vec::new() });
            id
        });
        self.push(Step::Run { task: id });
        self.requests.push((number, Task { id, function: &REQUEST, contexts: 0 }));
    }

    fn end_request(&mut self, number: u64, has_ended: bool) {
        self.requests.retain(|&(other, _)| other != number);
        let at = self.awaited.take().map(|place| At { function: &REQUEST, place });
        let wait = {
            let mut state = self.session.state();
            let Some(Request { id, mut loads }) = state.requests.remove(&number) else { return };
            if has_ended {
                Step::End { task: id, error: 0 }
            } else {
                loads.retain(|(key, id)| state.loads.get(key).is_some_and(|load| load.id == *id));
                let needs = loads.iter().map(|&(_, id)| Need::Load(id)).collect();
                state.requests.insert(number, Request { id, loads });
                // It may join many futures, of which any goes on.
                Step::Wait { task: id, at, needs, any: true }
            }
        };
        self.push(wait);
        self.hand_over();
    }
}
