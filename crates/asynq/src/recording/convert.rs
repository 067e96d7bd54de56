//! Conversion of the steps of a recording into its events.

use std::collections::HashMap;

use asynq_explain::{
    BatchAnswered, BatchSent, CallBegins, CallEnds, ContextChange, Event, Header, Id, KeyLoaded,
    Recording, Site, Source, TaskCreated, TaskEnds, TaskRuns, TaskWaits,
};
use foldhash::fast::RandomState;

use super::session::State;
use super::step::{At, Entry, Load, Need, Place, Step};
use crate::call_stack::Origin;

/// Name of blocks of async code, which have no definition apart from their use.
const BLOCK: &str = "async block";

/// Returns the recording of some steps, without the needs of statements.
pub(super) fn recording(state: &State) -> Recording {
    let options = &state.options;
    let (steps, dropped) = state.steps.latest(options.capacity);
    let header = Header {
        language: options.language.clone(),
        program: options.program.clone(),
        keys: options.keys,
        sampling: options.sampling,
        started: options.started,
        dropped,
        ..Header::default()
    };
    let source = |(index, source): (Id, &super::session::Source)| Source {
        id: index,
        name: source.name.clone(),
        file: Some(source.at.file().to_owned()),
        line: Some(source.at.line()),
    };
    let sources = (1..).zip(&state.sources).map(source).collect();
    let mut conversion = Conversion::new(state);
    let events = steps.into_iter().map(|entry| conversion.event(entry)).collect();
    Recording { header, sites: conversion.sites, sources, events, ..Recording::default() }
}

struct Conversion<'a> {
    state: &'a State,
    sites: Vec<Site>,
    site_ids: HashMap<(&'static str, &'static str, u32), Id, RandomState>,
    /// Numbers of keys by source and hash.
    keys: HashMap<(u32, u64), Id, RandomState>,
    key_counts: HashMap<u32, Id, RandomState>,
}

impl<'a> Conversion<'a> {
    fn new(state: &'a State) -> Self {
        Self {
            state,
            sites: Vec::new(),
            site_ids: HashMap::default(),
            keys: HashMap::default(),
            key_counts: HashMap::default(),
        }
    }

    fn event(&mut self, entry: &Entry) -> Event {
        let t = entry.time;
        match entry.step {
            Step::Task { id, thread, function, at, awaited, by, contexts, flush } => {
                let call = Origin { site: function, at, creator: None }.call();
                let is_block = call.function == BLOCK;
                let site =
                    self.site_of(call.function, if is_block { call.at } else { call.written() });
                let place = if call.is_passed() { awaited.unwrap_or(call.at) } else { call.at };
                let at = by.map(|(_, function)| self.site(At { function, place }));
                let by = by.map(|(id, _)| u64::from(id));
                let contexts = self.state.text_of(contexts).unwrap_or_default();
                let contexts = contexts.lines().map(str::to_owned).collect();
                let (id, flush) = (u64::from(id), some(flush));
                Event::Task(TaskCreated { t, id, thread, site, by, at, contexts, flush })
            }
            Step::Run { task } => Event::Run(TaskRuns { t, task: u64::from(task) }),
            Step::WaitForOne { task, at, need } => self.wait(t, task, at, &[need], false),
            Step::Wait { task, at, ref needs, any } => self.wait(t, task, at, needs, any),
            Step::End { task, error } => {
                Event::End(TaskEnds { t, task: u64::from(task), error: self.text(error) })
            }
            Step::Load(load) => Event::Load(self.load(t, load)),
            Step::Sent { batch, thread, source, ref loads, keys, priority, reason, call } => {
                Event::Flush(BatchSent {
                    t,
                    batch: u64::from(batch),
                    thread,
                    source: u64::from(source),
                    loads: loads.iter().copied().map(u64::from).collect(),
                    keys: u64::from(keys),
                    priority: Some(format!("({priority}, {keys})")),
                    reason,
                    call,
                })
            }
            Step::Answer { batch, failed, error } => Event::Answer(BatchAnswered {
                t,
                batch: u64::from(batch),
                failed: u64::from(failed),
                error: self.text(error),
            }),
            Step::Call { thread, root, task, at, depth } => {
                let at = at.map(|at| self.site(at));
                Event::Call(CallBegins { t, thread, root: some(root), task: some(task), at, depth })
            }
            Step::Return { thread, depth } => Event::Return(CallEnds { t, thread, depth }),
            Step::Enter { task, context } => Event::Enter(self.change(t, task, context)),
            Step::Leave { task, context } => Event::Leave(self.change(t, task, context)),
        }
    }

    fn wait(&mut self, t: u64, task: u32, at: Option<At>, needs: &[Need], any: bool) -> Event {
        let at = at.map(|at| self.site(at));
        let (mut tasks, mut loads) = (Vec::new(), Vec::new());
        for need in needs {
            match *need {
                Need::Task(id) => tasks.push(u64::from(id)),
                Need::Load(id) => loads.push(u64::from(id)),
            }
        }
        Event::Wait(TaskWaits { t, task: u64::from(task), at, tasks, loads, any })
    }

    fn load(&mut self, t: u64, load: Load) -> KeyLoaded {
        let Load { id, task, at, source, hash, text, how, of, thread } = load;
        let at = at.map(|at| self.site(at));
        let key = hash.map(|hash| self.key(source, hash));
        let (id, task, of) = (u64::from(id), some(task), some(of));
        let (source, text) = (u64::from(source), self.text(text));
        KeyLoaded { t, id, task, at, source, key, text, how, of, thread }
    }

    /// Returns the number of a key, of which the recording knows the hash.
    fn key(&mut self, source: u32, hash: u64) -> Id {
        let count = self.key_counts.entry(source).or_default();
        *self.keys.entry((source, hash)).or_insert_with(|| {
            *count += 1;
            *count
        })
    }

    fn change(&self, t: u64, task: u32, context: u32) -> ContextChange {
        let context = self.text(context).unwrap_or_default();
        ContextChange { t, task: u64::from(task), context }
    }

    fn text(&self, number: u32) -> Option<String> {
        self.state.text_of(number).map(str::to_owned)
    }

    fn site(&mut self, At { function, place }: At) -> Id {
        self.site_of(function.name(), place)
    }

    fn site_of(&mut self, function: &'static str, place: Place) -> Id {
        let (file, line) = (place.file(), place.line());
        let sites = &mut self.sites;
        *self.site_ids.entry((function, file, line)).or_insert_with(|| {
            let id = u64::try_from(sites.len()).unwrap_or(u64::MAX - 1) + 1;
            let (function, file) = (short_path(function).to_owned(), file.to_owned());
            sites.push(Site { id, function, file, line, within: None });
            id
        })
    }
}

/// Returns the id with a number, unless that is 0.
fn some(number: u32) -> Option<Id> {
    (number != 0).then(|| u64::from(number))
}

/// Returns the name of a function without its modules, with its type if it is a method.
fn short_path(path: &str) -> &str {
    let Some(name) = path.rfind("::") else { return path };
    let before = path[..name].rfind("::").map_or(0, |place| place + 2);
    let is_type = path[before..].starts_with(char::is_uppercase);
    if is_type { &path[before..] } else { &path[name + 2..] }
}
