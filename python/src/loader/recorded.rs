//! Recording of loads and requests, for `asynq.explain()`.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use asynq_explain::Reason;
use pyo3::intern;
use pyo3::prelude::*;

use crate::batch::recorded::{has_failed, place};
use crate::explain::hooks::{self, Origin, Request};
use crate::explain::step::Item;
use crate::explain::{keys, log};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::loader::base::LoaderBase;
use crate::loader::load::Load;
use crate::loader::nodes::{LoaderHost, Part};
use crate::scheduler::state::Scheduler;
use crate::task::recorded::running;

/// Records that the code that runs asks for a key.
#[cold]
pub(crate) fn loads(
    loader: &Bound<'_, LoaderBase>,
    host: &Bound<'_, LoaderHost>,
    load: &Bound<'_, Load>,
    is_shared: bool,
) {
    let Some((item, _)) = place(load.as_super()) else { return };
    let origin = if Load::is_cached(load) {
        Origin::Cached(Some(item))
    } else if is_shared {
        Origin::Shared(item)
    } else {
        Origin::New(item)
    };
    record(loader, source(loader, Some(host)), &Load::cache_key(load), &Load::key(load), origin);
}

/// Records that the code that runs finds a value in a cache.
#[cold]
pub(crate) fn hits(
    loader: &Bound<'_, LoaderBase>,
    cache_key: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
) {
    record(loader, source(loader, None), cache_key, key, Origin::Cached(None));
}

fn record(
    loader: &Bound<'_, LoaderBase>,
    source: u32,
    cache_key: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
    origin: Origin,
) {
    let (scheduler, py) = (Scheduler::current(), loader.py());
    let key = keys::number(source, cache_key, key);
    let (task, generator) = running(&scheduler, py).unzip();
    let generator = generator.flatten();
    hooks::loads(py, task, generator.as_ref(), scheduler.id(), (source, key), origin);
}

/// Returns the number of a loader as a source. Its variants and those of all instances are the same.
fn source(loader: &Bound<'_, LoaderBase>, host: Option<&Bound<'_, LoaderHost>>) -> u32 {
    let py = loader.py();
    let epoch = log::epoch();
    if let Some(host) = host
        && let (known, source) = host.state().recorded_source
        && known == epoch
    {
        return source;
    }
    let core = LoaderBase::core(loader);
    let Ok(function) = core.getattr(intern!(py, "fn")) else { return 0 };
    let name = core.getattr(intern!(py, "name")).map(|name| name.to_string());
    let name = name.unwrap_or_else(|_| "loader".to_owned());
    let salt = BuildHasherDefault::<DefaultHasher>::default().hash_one(&name);
    let source = keys::source(&function, || name, Some(&function), salt);
    if let Some(host) = host {
        host.state().recorded_source = (epoch, source);
    }
    source
}

/// Records that a part is sent, with these loads. Its number is that of the request.
#[cold]
pub(crate) fn sent(
    loader: Option<&Bound<'_, LoaderBase>>,
    host: &Bound<'_, LoaderHost>,
    number: u32,
    reason: Option<Reason>,
    loads: &[Bound<'_, Load>],
) {
    let py = host.py();
    let places = loads.iter().filter_map(|load| place(load.as_super()));
    let items: Vec<Item> = places.map(|(item, _)| item).collect();
    let source = match loader {
        Some(loader) => source(loader, Some(host)),
        None => 0,
    };
    let scheduler = Scheduler::current();
    let (thread, depth) = (scheduler.id(), scheduler.unsettled_engine().depth());
    hooks::sent(py, &Request { number, source, thread, depth, items: &items, reason });
}

/// Records that a part is answered.
#[cold]
pub(crate) fn answered(part: &Part, py: Python<'_>) {
    let Some((loads, _)) = part.sent.as_ref().filter(|_| part.recorded != 0) else { return };
    let loads = loads.bind(py);
    let mut failed = 0;
    let mut error = None;
    for load in loads.iter() {
        let Ok(load) = load.cast::<FutureBase>() else { continue };
        if has_failed(load) {
            failed += 1;
            error = error.or_else(|| FutureBase::outcome(load).and_then(Result::err));
        }
    }
    let is_whole = failed > 0 && failed == loads.len();
    let failed = u32::try_from(failed).unwrap_or(u32::MAX);
    hooks::answered(py, part.recorded, failed, error.as_ref().filter(|_| is_whole));
}
