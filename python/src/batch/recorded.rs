//! Recording of batches and their items, for `asynq.explain()`.

use pyo3::intern;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::explain::hooks::{self, Request};
use crate::explain::step::Item;
use crate::explain::{keys, log};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::future::outcome::Outcome;
use crate::imports;
use crate::loader::nodes::LoaderBatch;

/// Returns the number of a batch in the log.
pub(crate) fn number_of(batch: &Bound<'_, BatchBase>) -> u32 {
    let mut state = batch.state();
    if state.recorded == 0 {
        state.recorded = log::next_number();
    }
    state.recorded
}

/// Returns the place of an item in the log, and its batch; `None` if it is in none any more.
pub(crate) fn place<'py>(
    item: &Bound<'py, BatchItemBase>,
) -> Option<(Item, Bound<'py, BatchBase>)> {
    let (batch, index) = BatchItemBase::known_place(item)?;
    Some((Item { batch: number_of(&batch), index }, batch))
}

/// Returns the numbers of the source and the key of an item of the user. `source` is that of the batch, 0 if it is not
/// known yet.
pub(crate) fn source_and_key(
    batch: &Bound<'_, BatchBase>,
    item: &Bound<'_, BatchItemBase>,
    source: u32,
) -> (u32, u32) {
    let source = if source == 0 { source_of(batch) } else { source };
    let key = keys::key_of_item(item.as_any());
    (source, key.map_or(0, |key| keys::number(source, &key, &key)))
}

fn source_of(batch: &Bound<'_, BatchBase>) -> u32 {
    let class = batch.get_type();
    let flush = class.getattr(intern!(batch.py(), "_flush")).ok();
    keys::source(class.as_any(), || imports::type_name(batch.as_any()), flush.as_ref(), 0)
}

/// Records that a batch of the user is flushed by the scheduler with this number, in so many nested calls.
#[cold]
pub(crate) fn sent(batch: &Bound<'_, BatchBase>, scheduler_id: u32, depth: usize) {
    let number = batch.state().recorded;
    if batch.is_instance_of::<LoaderBatch>() || !hooks::is_asked_for(batch.py(), number) {
        return;
    }
    let py = batch.py();
    let (mut items, mut source) = (Vec::new(), 0);
    for item in BatchBase::items(batch).iter() {
        let Ok(item) = item.cast::<BatchItemBase>() else { continue };
        let Some((place, _)) = place(item) else { continue };
        let (is_asked, known) = hooks::look_up_item(py, place);
        source = if known == 0 { source_of(batch) } else { known };
        if !is_asked {
            let (source, key) = source_and_key(batch, item, source);
            hooks::ask_for_rest(py, place, source, key);
        }
        items.push(place);
    }
    let items = &items;
    hooks::sent(py, &Request { number, source, thread: scheduler_id, depth, items, reason: None });
}

/// Records that all items of a batch have their values.
#[cold]
pub(crate) fn answered(batch: &Bound<'_, BatchBase>) {
    let py = batch.py();
    let number = batch.state().recorded;
    if number == 0 {
        return;
    }
    if !batch.is_instance_of::<LoaderBatch>() {
        let items = BatchBase::items(batch);
        let failed = items.iter().filter(|item| item.cast::<FutureBase>().is_ok_and(has_failed));
        let failed = u32::try_from(failed.count()).unwrap_or(u32::MAX);
        let error = FutureBase::outcome(batch.as_super()).and_then(Result::err);
        hooks::answered(py, number, failed, error.as_ref());
    }
    hooks::resolved(py, number);
}

/// Returns whether a future has an error.
pub(crate) fn has_failed(future: &Bound<'_, FutureBase>) -> bool {
    matches!(future.state().outcome, Outcome::Error(_))
}
