//! Keys and sources: the numbers by which a recording knows them.

use asynq_explain::Keys;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::explain::log::{self, Source};
use crate::explain::places;
use crate::ffi::frames::code_of;

/// Returns the number of a source: of a loader by its function and name, of a class of batches by its `_flush`.
pub(crate) fn source(
    object: &Bound<'_, PyAny>,
    name: impl FnOnce() -> String,
    function: Option<&Bound<'_, PyAny>>,
    salt: u64,
) -> u32 {
    let py = object.py();
    let key = (object.as_ptr() as usize, salt);
    let known = log::with(py, |log| log.sources_by_address.get(&key).copied());
    if let Some(known) = known.flatten() {
        return known;
    }
    let name = name();
    let code = function.and_then(code_of);
    let definition = code.map(|code| places::definition(&code));
    let keys = PyDict::new(py).unbind();
    let object = object.clone().unbind();
    log::with(py, |log| {
        let place =
            definition.filter(|(_, _, is_internal)| !is_internal).and_then(|(_, site, _)| {
                let site = log.sites.get(log::index(site)?)?;
                Some((site.file.clone(), site.line))
            });
        log.sources.push(Source { name, place, keys, texts: Vec::new(), object });
        let number = u32::try_from(log.sources.len()).unwrap_or(0);
        log.sources_by_address.insert(key, number);
        number
    })
    .unwrap_or(0)
}

/// Returns the number of a key of a source; 0 if it cannot be compared. `shown` is what its text shows.
pub(crate) fn number(source: u32, key: &Bound<'_, PyAny>, shown: &Bound<'_, PyAny>) -> u32 {
    let py = key.py();
    let found = log::with(py, |log| {
        let wants_text = log.sessions.iter().any(|session| session.keys != Keys::Count);
        Some((log.source(source)?.keys.bind(py).clone(), wants_text))
    });
    let Some((keys, wants_text)) = found.flatten() else { return 0 };
    let known = match keys.get_item(key) {
        Ok(known) => known.and_then(|known| known.extract::<u32>().ok()),
        Err(_) => return 0,
    };
    let number = match known {
        Some(number) => number,
        None => u32::try_from(keys.len() + 1).unwrap_or(0),
    };
    if known.is_none() && keys.set_item(key, number).is_err() {
        return 0;
    }
    if wants_text {
        set_text(py, source, number, shown);
    }
    number
}

fn set_text(py: Python<'_>, source: u32, number: u32, shown: &Bound<'_, PyAny>) {
    let Some(place) = log::index(number) else { return };
    let has_text = log::with(py, |log| {
        let texts = &mut log.source(source)?.texts;
        if texts.len() <= place {
            texts.resize(place + 1, None);
        }
        Some(texts.get(place)?.is_some())
    });
    if has_text.flatten() != Some(false) {
        return;
    }
    let text = text(shown);
    log::with(py, |log| {
        if let Some(entry) = log.source(source).and_then(|source| source.texts.get_mut(place)) {
            *entry = Some(text);
        }
    });
}

fn text(shown: &Bound<'_, PyAny>) -> String {
    shown.repr().map_or_else(
        |_| format!("a {} without a text", crate::imports::type_name(shown)),
        |text| text.to_string(),
    )
}

/// Returns the key of an item of the user: its attribute `key`, or else the values of its attributes.
pub(crate) fn key_of_item<'py>(item: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = item.py();
    if let Ok(Some(key)) = item.getattr_opt(intern!(py, "key")) {
        return Some(key);
    }
    let mut values = Vec::new();
    if let Ok(Some(attributes)) = item.getattr_opt(intern!(py, "__dict__"))
        && let Ok(attributes) = attributes.cast::<PyDict>()
    {
        values.extend(attributes.values().iter());
    }
    for class in item.get_type().mro() {
        if class
            .getattr(intern!(py, "__module__"))
            .is_ok_and(|name| name.to_string() == "asynq.batching")
        {
            break;
        }
        let Ok(slots) = class.getattr(intern!(py, "__dict__")) else { continue };
        let Ok(slots) = slots.get_item(intern!(py, "__slots__")) else { continue };
        let names: Vec<String> = match slots.extract::<String>() {
            Ok(name) => vec![name],
            Err(_) => slots.extract().unwrap_or_default(),
        };
        values.extend(names.iter().filter_map(|name| item.getattr(name.as_str()).ok()));
    }
    match values.len() {
        0 => None,
        1 => values.pop(),
        _ => PyTuple::new(py, values).ok().map(Bound::into_any),
    }
}
