//! Keys and sources: the numbers by which a recording knows them.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple};
use smallvec::SmallVec;

use crate::explain::log::{self, ItemAttributes, Source, Table};
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
        log.sources.push(Source {
            name,
            place,
            keys,
            integers: Table::default(),
            last_key: 0,
            texts: Vec::new(),
            object,
        });
        let number = u32::try_from(log.sources.len()).unwrap_or(0);
        log.sources_by_address.insert(key, number);
        number
    })
    .unwrap_or(0)
}

/// Returns the number of a key of a source; 0 if it cannot be compared. `shown` is what its text shows.
pub(crate) fn number(source: u32, key: &Bound<'_, PyAny>, shown: &Bound<'_, PyAny>) -> u32 {
    let py = key.py();
    let (number, wants_text) = match of_integer(source, key) {
        Some(found) => found,
        None => of_other(source, key).unwrap_or((0, false)),
    };
    if wants_text && number != 0 {
        set_text(py, source, number, shown);
    }
    number
}

/// Returns the number of an integer, and whether somebody wants its text. `None` for other keys.
fn of_integer(source: u32, key: &Bound<'_, PyAny>) -> Option<(u32, bool)> {
    let integer: i64 = key.cast_exact::<PyInt>().ok()?.extract().ok()?;
    log::with(key.py(), |log| {
        let wants_text = log.wants_text;
        let source = log.source(source)?;
        if let Some(&number) = source.integers.get(&integer) {
            return Some((number, wants_text));
        }
        let number = source.next_key();
        source.integers.insert(integer, number);
        Some((number, wants_text))
    })
    .flatten()
}

fn of_other(source: u32, key: &Bound<'_, PyAny>) -> Option<(u32, bool)> {
    let py = key.py();
    let (keys, wants_text) = log::with(py, |log| {
        let wants_text = log.wants_text;
        Some((log.source(source)?.keys.bind(py).clone(), wants_text))
    })
    .flatten()?;
    if let Some(number) = keys.get_item(key).ok()? {
        return Some((number.extract().ok()?, wants_text));
    }
    let number = log::with(py, |log| Some(log.source(source)?.next_key())).flatten()?;
    keys.set_item(key, number).ok()?;
    Some((number, wants_text))
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
    let class = item.get_type();
    let known = log::with(py, |log| {
        let known = log.item_attributes.get(&(class.as_ptr() as usize))?;
        Some(match &known.names[..] {
            [name] => Ok(name.bind(py).clone()),
            names => Err(names.iter().map(|name| name.clone_ref(py)).collect()),
        })
    });
    let names = match known.flatten() {
        Some(Ok(name)) => return item.getattr(name.cast::<PyString>().ok()?).ok(),
        Some(Err(names)) => names,
        None => add_attributes(item),
    };
    if let [name] = &names[..] {
        return item.getattr(name.bind(py).cast::<PyString>().ok()?).ok();
    }
    let value = |name: &Py<PyAny>| item.getattr(name.bind(py).cast::<PyString>().ok()?).ok();
    let values: Vec<_> = names.iter().filter_map(value).collect();
    if values.is_empty() { None } else { PyTuple::new(py, values).ok().map(Bound::into_any) }
}

/// Finds the attributes that make the key of the items of a class.
#[cold]
fn add_attributes(item: &Bound<'_, PyAny>) -> SmallVec<[Py<PyAny>; 2]> {
    let py = item.py();
    let mut names: SmallVec<[Py<PyAny>; 2]> = SmallVec::new();
    if let Ok(Some(_)) = item.getattr_opt(intern!(py, "key")) {
        names.push(intern!(py, "key").clone().into_any().unbind());
    } else {
        if let Ok(Some(attributes)) = item.getattr_opt(intern!(py, "__dict__"))
            && let Ok(attributes) = attributes.cast::<PyDict>()
        {
            names.extend(attributes.keys().iter().map(Bound::unbind));
        }
        let ours = PyString::new(py, "asynq.batching");
        for class in item.get_type().mro() {
            if class
                .getattr(intern!(py, "__module__"))
                .is_ok_and(|name| name.eq(&ours).unwrap_or(true))
            {
                break;
            }
            let Ok(slots) = class.getattr(intern!(py, "__dict__")) else { continue };
            let Ok(slots) = slots.get_item(intern!(py, "__slots__")) else { continue };
            if slots.is_instance_of::<PyString>() {
                names.push(slots.unbind());
            } else if let Ok(slots) = slots.try_iter() {
                names.extend(slots.flatten().map(Bound::unbind));
            }
        }
    }
    let class = item.get_type();
    let held = class.clone().into_any().unbind();
    let kept = names.iter().map(|name| name.clone_ref(py)).collect();
    let attributes = ItemAttributes { class: held, names: kept };
    log::with(py, |log| log.item_attributes.insert(class.as_ptr() as usize, attributes));
    names
}
