//! Places: the sites of the log at which code runs, waits or is defined.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::explain::log::{self, Code, Log, Site, index};
use crate::ffi::frames::Frame;

/// Number of frames that are looked at between code and its task.
const MAX_FRAMES: usize = 50;

/// Facts about a code object that the walk over frames needs.
#[derive(Clone, Copy)]
struct Kind {
    is_internal: bool,
    is_comprehension: bool,
}

/// Returns the address of a code, the site of its definition, and whether it is in this package.
pub(crate) fn definition(code: &Bound<'_, PyAny>) -> (usize, u32, bool) {
    let py = code.py();
    let address = code.as_ptr() as usize;
    kind(code);
    let known = log::with(py, |log| {
        let code = log.codes.get(&address)?;
        Some((code.definition, code.is_internal))
    });
    let (definition, is_internal) = known.flatten().unwrap_or_default();
    (address, definition, is_internal)
}

/// Returns a site for a callable that is no function of Python.
pub(crate) fn definition_of_other(callable: &Bound<'_, PyAny>) -> u32 {
    let py = callable.py();
    let name = callable
        .getattr_opt(intern!(py, "__qualname__"))
        .ok()
        .flatten()
        .map_or_else(|| crate::imports::type_name(callable), |name| name.to_string());
    let site = Site { function: name, file: String::new(), line: 0, within: 0 };
    let key = (callable.get_type().as_ptr() as usize, -2, 0);
    let found = log::with(py, |log| {
        let known = log.sites_by_position.get(&key).copied();
        known.filter(|&known| {
            let known = index(known).and_then(|index| log.sites.get(index));
            known.is_some_and(|known| known.function == site.function)
        })
    });
    if let Some(found) = found.flatten() {
        return found;
    }
    log::with(py, |log| {
        let number = add(log, site);
        log.sites_by_position.insert(key, number);
        number
    })
    .unwrap_or(0)
}

/// Returns the site at which the code that runs now was called by a task with code at this address,
/// or was reached from it through functions that are no tasks. With `only_task`, it is the site in the
/// code of the task.
///
/// `otherwise` is the result for a task of this package, unless code of the user runs in it.
pub(crate) fn caller(
    py: Python<'_>,
    task_code: usize,
    is_internal: bool,
    otherwise: u32,
    only_task: bool,
) -> u32 {
    let Some(frame) = Frame::current(py) else { return otherwise };
    let code = frame.code();
    if code.as_ptr() as usize == task_code && !is_internal {
        return site(&frame, &code, None, 0);
    }
    let mut levels = Vec::new();
    let mut reached = false;
    let mut next = Some(frame);
    let mut part: Option<Frame<'_>> = None;
    for _ in 0..MAX_FRAMES {
        let Some(frame) = next else { break };
        let code = frame.code();
        let kind = kind(&code);
        next = frame.back();
        if kind.is_comprehension {
            // A part of the next frame, whose line is that of the comprehension.
            part.get_or_insert(frame);
            continue;
        }
        let inner = part.take();
        reached = code.as_ptr() as usize == task_code
            || inner.as_ref().is_some_and(|inner| inner.code().as_ptr() as usize == task_code);
        if !kind.is_internal {
            levels.push((frame, code, inner));
        }
        if reached || task_code == 0 && !levels.is_empty() {
            break;
        }
    }
    if !reached && task_code != 0 {
        // It runs in a callback; or the frames are those of another language.
        levels.truncate(1);
        if is_internal {
            return otherwise;
        }
    }
    let within = if is_internal { otherwise } else { 0 };
    if only_task {
        return match levels.pop() {
            Some((frame, code, inner)) if reached && !is_internal => {
                site(&frame, &code, inner.as_ref(), 0)
            }
            _ => otherwise,
        };
    }
    levels
        .iter()
        .rev()
        .fold(within, |within, (frame, code, inner)| site(frame, code, inner.as_ref(), within))
}

/// Returns the site at which a generator or coroutine waits: its own, and inside of that those of the ones
/// that it waits for. `otherwise` is the result if all of them are of this package. `place` is where it waits.
pub(crate) fn waiting(
    generator: &Bound<'_, PyAny>,
    otherwise: u32,
    place: Option<(usize, usize)>,
) -> u32 {
    let py = generator.py();
    let (mut found, mut levels) = (0, 0);
    let mut next = Some(generator.clone());
    for _ in 0..MAX_FRAMES {
        let Some(generator) = next else { break };
        let Some(frame) = Frame::of_generator(&generator) else { break };
        let code = frame.code();
        if !kind(&code).is_internal {
            found = site(&frame, &code, None, found);
        }
        next = generator
            .getattr_opt(intern!(py, "gi_yieldfrom"))
            .ok()
            .flatten()
            .or_else(|| generator.getattr_opt(intern!(py, "cr_await")).ok().flatten())
            .filter(|inner| !inner.is_none());
        levels += 1;
    }
    if let Some(place) = place
        && levels == 1
        && found != 0
    {
        log::with(py, |log| log.waits.insert(place, found));
    }
    if found == 0 { otherwise } else { found }
}

/// Returns what is known of a code, after it has been added to the log.
fn kind(code: &Bound<'_, PyAny>) -> Kind {
    let py = code.py();
    let address = code.as_ptr() as usize;
    let known = log::with(py, |log| {
        let code = log.codes.get(&address)?;
        Some(Kind { is_internal: code.is_internal, is_comprehension: code.is_comprehension })
    });
    known.flatten().unwrap_or_else(|| add_code(code))
}

#[cold]
fn add_code(code: &Bound<'_, PyAny>) -> Kind {
    let py = code.py();
    let text = |name| code.getattr(name).map_or_else(|_| String::new(), |text| text.to_string());
    let (name, file) = (text(intern!(py, "co_name")), text(intern!(py, "co_filename")));
    let line = code.getattr(intern!(py, "co_firstlineno")).and_then(|line| line.extract());
    let is_comprehension =
        ["<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"].contains(&name.as_str());
    let is_internal = is_in_package(py, &file);
    let site =
        Site { function: function_name(code, name), file, line: line.unwrap_or(0), within: 0 };
    let held = code.clone().unbind();
    log::with(py, |log| {
        let definition = add(log, site);
        let code = Code { object: held, definition, is_internal, is_comprehension };
        log.codes.insert(code.object.as_ptr() as usize, code)
    });
    Kind { is_internal, is_comprehension }
}

/// Returns the name of a function with that of its class.
fn function_name(code: &Bound<'_, PyAny>, name: String) -> String {
    match code.getattr_opt(intern!(code.py(), "co_qualname")) {
        Ok(Some(name)) => name.to_string().replace(".<locals>", ""),
        Ok(None) | Err(_) => name, // Before CPython 3.11.
    }
}

/// Returns the site of a frame. The position in it is that of `part`, if it is in a comprehension.
fn site(frame: &Frame<'_>, code: &Bound<'_, PyAny>, part: Option<&Frame<'_>>, within: u32) -> u32 {
    let py = code.py();
    let place = part.unwrap_or(frame);
    let address = part.map_or(code.as_ptr() as usize, |part| part.code().as_ptr() as usize);
    let key = (address, place.position(), within);
    let known = log::with(py, |log| log.sites_by_position.get(&key).copied());
    if let Some(known) = known.flatten() {
        return known;
    }
    let line = place.line();
    kind(code); // The address stays that of this code.
    log::with(py, |log| {
        let definition = log.codes.get(&(code.as_ptr() as usize))?.definition;
        let definition = log.sites.get(index(definition)?)?.clone();
        let number = add(log, Site { line, within, ..definition });
        log.sites_by_position.insert(key, number);
        Some(number)
    })
    .flatten()
    .unwrap_or(0)
}

fn add(log: &mut Log, site: Site) -> u32 {
    log.sites.push(site);
    u32::try_from(log.sites.len()).unwrap_or(0)
}

/// Returns whether a file is one of this package.
fn is_in_package(py: Python<'_>, file: &str) -> bool {
    static FOLDER: PyOnceLock<String> = PyOnceLock::new();
    let folder = FOLDER.get_or_try_init(py, || {
        let path = py.import("asynq")?.getattr("__file__")?.to_string();
        let end = path.rfind(['/', '\\']).map_or(0, |end| end + 1);
        PyResult::Ok(path.get(..end).unwrap_or_default().to_owned())
    });
    folder.is_ok_and(|folder| !folder.is_empty() && file.starts_with(folder.as_str()))
}
