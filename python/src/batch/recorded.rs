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

/// Returns the numbers of the source and the key of an item of the user.
pub(crate) fn source_and_key(
    batch: &Bound<'_, BatchBase>,
    item: &Bound<'_, BatchItemBase>,
) -> (u32, u32) {
    let source = source_of(batch);
    let key = keys::key_of_item(item.as_any());
    (source, key.map_or(0, |key| keys::number(source, &key, &key)))
}

fn source_of(batch: &Bound<'_, BatchBase>) -> u32 {
    let epoch = log::epoch();
    let (known, source) = batch.state().recorded_source;
    if known == epoch {
        return source;
    }
    let class = batch.get_type();
    let flush = class.getattr(intern!(batch.py(), "_flush")).ok();
    let name = || imports::type_name(batch.as_any());
    let source = keys::source(class.as_any(), name, flush.as_ref(), 0);
    batch.state().recorded_source = (epoch, source);
    source
}

/// Records that a batch of the user is flushed by the scheduler with this number, in so many nested calls.
#[cold]
pub(crate) fn sent(batch: &Bound<'_, BatchBase>, scheduler_id: u32, depth: usize) {
    let number = batch.state().recorded;
    if batch.is_instance_of::<LoaderBatch>() || !hooks::is_asked_for(batch.py(), number) {
        return;
    }
    let (py, count) = (batch.py(), batch.state().count);
    let source = source_of(batch);
    let items: Vec<Item> = if hooks::are_asked_for(py, number, count) {
        (0..count).map(|index| Item { batch: number, index }).collect()
    } else {
        let places = BatchBase::items(batch).iter().filter_map(|item| {
            let item = item.cast::<BatchItemBase>().ok()?;
            let (place, _) = place(item)?;
            let (source, key) = source_and_key(batch, item);
            hooks::ask_for_rest(py, place, source, key);
            Some(place)
        });
        places.collect()
    };
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
    matches!(future.state().outcome(), Outcome::Error(_))
}
