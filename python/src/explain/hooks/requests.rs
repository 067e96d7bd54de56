//! Hooks of the requests that are sent, and of their answers.

use asynq_explain::Reason;
use pyo3::prelude::*;

use super::tasks::one_line;
use crate::explain::log;
use crate::explain::observer;
use crate::explain::step::{Item, Need, Step};

/// A request that is sent.
pub(crate) struct Request<'a> {
    /// Number of the request: that of a batch of the user, another one for a part of those of a loader.
    pub(crate) number: u32,
    pub(crate) source: u32,
    /// Number of the scheduler.
    pub(crate) thread: u32,
    /// Number of synchronous calls in progress.
    pub(crate) depth: usize,
    pub(crate) items: &'a [Item],
    /// Reason, if it is not that of the flushes that are made now.
    pub(crate) reason: Option<Reason>,
}

/// Records that a request is sent.
pub(crate) fn sent(py: Python<'_>, request: &Request<'_>) {
    let &Request { number, source, thread, depth, items, reason } = request;
    if observer::is_set() {
        let mut batches: Vec<_> = items.iter().map(|item| item.batch).collect();
        batches.dedup();
        let reason = reason.or_else(|| self::reason(py)).unwrap_or_default();
        observer::sent(py, (number, source), items.len(), reason, batches);
    }
    let depth = u32::try_from(depth).unwrap_or(u32::MAX);
    log::with(py, |log| {
        let mut sessions: Vec<u32> = Vec::new();
        let mut text = 0;
        for item in items {
            let Some(batch) = log.batches.get(&item.batch) else { continue };
            text = if text == 0 { batch.priority } else { text };
            for &session in &batch.sessions {
                if !sessions.contains(&session) {
                    sessions.push(session);
                }
            }
        }
        if text == 0 {
            text = log.text(&format!("(0, {})", items.len()));
        }
        let reason = reason.unwrap_or(log.reason);
        let mut steps = sent_items(items);
        steps.push(Step::Sent { batch: number, thread, source, depth, text, reason });
        log.push_to_all(&sessions, &steps);
        log.batches.entry(number).or_default().sessions = sessions;
    });
}

/// Sets the number of the request whose batch function is called next, which may create a task for it; 0 afterwards.
pub(crate) fn set_sending(py: Python<'_>, number: u32) {
    log::with(py, |log| log.sending = number);
}

/// Returns the steps that tell the items of a request, which mostly follow each other in their batch.
fn sent_items(items: &[Item]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for &item in items {
        if let Some(Step::SentItems { first, count }) = steps.last_mut()
            && first.batch == item.batch
            && first.index + *count == item.index
        {
            *count += 1;
        } else {
            steps.push(Step::SentItems { first: item, count: 1 });
        }
    }
    steps
}

/// Records that a request is answered: so many keys have failed, or the whole request.
pub(crate) fn answered(py: Python<'_>, number: u32, failed: u32, error: Option<&PyErr>) {
    let error = error.map(|error| one_line(py, error));
    observer::answered(py, number, failed, error.as_deref());
    let batch = log::with(py, |log| {
        let text = error.map_or(0, |error| log.text(&error));
        let batch = log.batches.remove(&number)?;
        log.push_to_all(&batch.sessions, &[Step::Answer { batch: number, failed, text }]);
        Some(batch)
    });
    drop(batch);
}

/// Forgets a batch whose items have their values.
pub(crate) fn resolved(py: Python<'_>, batch: u32) {
    observer::resolved(py, batch);
    let batch = log::with(py, |log| {
        let batch = log.batches.remove(&batch)?;
        if let Some(item) = batch.of_coroutine {
            for &session in &batch.sessions {
                if let Some(session) = log.session(session) {
                    session.last_ended = Some(Need::Item(item));
                }
            }
        }
        Some(batch)
    });
    drop(batch);
}

/// Sets the reason of the flushes until the guard is dropped.
#[must_use]
pub(crate) struct Because<'py> {
    py: Python<'py>,
    before: Option<Reason>,
}

impl<'py> Because<'py> {
    /// Sets the reason, if something is recorded.
    pub(crate) fn of(py: Python<'py>, reason: impl FnOnce() -> Reason) -> Self {
        let before = if log::is_on() {
            let reason = reason();
            log::with(py, |log| std::mem::replace(&mut log.reason, reason))
        } else {
            None
        };
        Self { py, before }
    }
}

impl Drop for Because<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            log::with(self.py, |log| log.reason = before);
        }
    }
}

/// Returns the reason of the flushes that are made now.
pub(crate) fn reason(py: Python<'_>) -> Option<Reason> {
    log::with(py, |log| log.reason)
}

/// Sets the text of the priority of a batch.
pub(crate) fn set_priority(py: Python<'_>, batch: u32, priority: &Bound<'_, PyAny>) {
    let text = priority.repr().map_or_else(|_| String::new(), |text| text.to_string());
    log::with(py, |log| {
        let text = log.text(&text);
        log.batches.entry(batch).or_default().priority = text;
    });
}
