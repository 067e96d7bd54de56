//! Conversion of what a session has kept into a recording of `asynq-explain`.

use std::collections::HashMap;

use asynq_explain::{
    BatchAnswered, BatchSent, CallBegins, CallEnds, ContextChange, Event, Header, How, Id,
    KeyLoaded, Keys, Recording, TaskCreated, TaskEnds, TaskRuns, TaskWaits,
};

use crate::explain::log::{Log, Session, index};
use crate::explain::step::{Entry, Item, Need, Step};

/// Returns the recording of a session, which ends or is looked at now.
pub(crate) fn recording(log: &Log, session: &Session) -> Recording {
    let mut conversion = Conversion::new(log, session.keys);
    let header = Header {
        language: "python".to_owned(),
        keys: session.keys,
        sampling: session.sampling,
        dropped: session.dropped,
        ..Header::default()
    };
    for Entry { time, step } in &session.entries {
        conversion.add(time.saturating_sub(session.began), *step);
    }
    let Conversion { sites, sources, events, .. } = conversion;
    let events = events.into_iter().flatten().collect();
    Recording { header, sites, sources, events, ..Recording::default() }
}

struct Conversion<'a> {
    log: &'a Log,
    keys: Keys,
    sites: Vec<asynq_explain::Site>,
    sources: Vec<asynq_explain::Source>,
    /// Events; `None` for those that turned out to be none.
    events: Vec<Option<Event>>,
    /// Number of requests that were answered.
    answers: u32,
    /// Waits for tasks alone, as indexes of events, and the number of answers then.
    short_waits: HashMap<u32, (usize, u32)>,
    site_ids: HashMap<u32, Id>,
    sites_by_content: HashMap<asynq_explain::Site, Id>,
    source_ids: HashMap<u32, Id>,
    loads: HashMap<Item, Id>,
    last_load: Id,
    /// Numbers of keys in this recording, by source.
    key_ids: HashMap<u32, HashMap<u32, Id>>,
    /// Tasks whose code runs.
    running: HashMap<u32, bool>,
    needs: Vec<Need>,
    sent: Vec<Item>,
}

impl<'a> Conversion<'a> {
    fn new(log: &'a Log, keys: Keys) -> Self {
        Self {
            log,
            keys,
            sites: Vec::new(),
            sources: Vec::new(),
            events: Vec::new(),
            answers: 0,
            short_waits: HashMap::new(),
            site_ids: HashMap::new(),
            sites_by_content: HashMap::new(),
            source_ids: HashMap::new(),
            loads: HashMap::new(),
            last_load: 0,
            key_ids: HashMap::new(),
            running: HashMap::new(),
            needs: Vec::new(),
            sent: Vec::new(),
        }
    }

    fn add(&mut self, t: u64, step: Step) {
        match step {
            Step::Task { id, thread, site, by, at, contexts, flush } => {
                self.acts(t, by);
                let contexts = self.log.text_of(contexts).unwrap_or_default();
                let contexts = contexts.lines().map(str::to_owned).collect();
                let (site, at) = (self.site(site).unwrap_or(0), self.site(at));
                self.running.insert(id, false);
                let (id, by, flush) = (u64::from(id), some(by), some(flush));
                let task = TaskCreated { t, id, thread, site, by, at, contexts, flush };
                self.events.push(Some(Event::Task(task)));
            }
            Step::Run { task } => self.acts(t, task),
            Step::Needs { need } => self.needs.push(need),
            Step::Wait { task, at } => self.waits(t, task, at),
            Step::WaitForOne { task, at, need } => {
                self.needs.push(need);
                self.waits(t, task, at);
            }
            Step::End { task, text } => {
                self.acts(t, task);
                self.running.remove(&task);
                let error = self.text(text);
                self.events.push(Some(Event::End(TaskEnds { t, task: u64::from(task), error })));
            }
            Step::Load { item, task, at, source, key } => {
                self.acts(t, task);
                let id = self.load(item);
                self.asks(&KeyLoaded { t, id, ..KeyLoaded::default() }, task, at, (source, key));
            }
            Step::Shared { of, task, at, source, key } => {
                self.acts(t, task);
                let of = Some(self.load(of));
                let load = KeyLoaded {
                    t,
                    id: self.next_load(),
                    how: How::Shared,
                    of,
                    ..KeyLoaded::default()
                };
                self.asks(&load, task, at, (source, key));
            }
            Step::Cached { item, task, at, source, key } => {
                self.acts(t, task);
                let id = match item {
                    Some(item) => self.load(item),
                    None => self.next_load(),
                };
                let load = KeyLoaded { t, id, how: How::Cached, ..KeyLoaded::default() };
                self.asks(&load, task, at, (source, key));
            }
            Step::SentItems { first: Item { batch, index }, count } => {
                self.sent.extend((index..index + count).map(|index| Item { batch, index }));
            }
            Step::Sent { batch, thread, source, depth, text, reason } => {
                let items = std::mem::take(&mut self.sent);
                let loads: Vec<_> = items.into_iter().map(|item| self.load(item)).collect();
                let keys = u64::try_from(loads.len()).unwrap_or(0);
                let call = (depth > 1).then_some(depth);
                let (source, priority) = (self.source(source), self.text(text));
                let batch = u64::from(batch);
                let sent =
                    BatchSent { t, batch, thread, source, loads, keys, priority, reason, call };
                self.events.push(Some(Event::Flush(sent)));
            }
            Step::Answer { batch, failed, text } => {
                let error = self.text(text);
                self.answers = self.answers.wrapping_add(1);
                let (batch, failed) = (u64::from(batch), u64::from(failed));
                self.events.push(Some(Event::Answer(BatchAnswered { t, batch, failed, error })));
            }
            Step::Call { thread, root, task, at, depth } => {
                self.acts(t, task);
                let (root, task, at) = (some(root), some(task), self.site(at));
                self.events.push(Some(Event::Call(CallBegins {
                    t,
                    thread,
                    root,
                    task,
                    at,
                    depth,
                })));
            }
            Step::Return { thread, depth } => {
                self.events.push(Some(Event::Return(CallEnds { t, thread, depth })));
            }
            Step::Enter { task, text } => {
                self.acts(t, task);
                let change = self.change(t, task, text);
                self.events.push(Some(Event::Enter(change)));
            }
            Step::Leave { task, text } => {
                let change = self.change(t, task, text);
                self.events.push(Some(Event::Leave(change)));
            }
        }
    }

    /// Adds that a task runs, if it does not yet.
    fn acts(&mut self, t: u64, task: u32) {
        let Some(runs) = self.running.get_mut(&task) else { return };
        if std::mem::replace(runs, true) {
            return;
        }
        if let Some((place, answers)) = self.short_waits.remove(&task)
            && answers == self.answers
            && let Some(wait) = self.events.get_mut(place)
        {
            // What it has awaited has ended without a request, as if it had been started inline.
            *wait = None;
            return;
        }
        self.events.push(Some(Event::Run(TaskRuns { t, task: u64::from(task) })));
    }

    fn waits(&mut self, t: u64, task: u32, at: u32) {
        self.acts(t, task);
        self.running.insert(task, false);
        let mut wait =
            TaskWaits { t, task: u64::from(task), at: self.site(at), ..Default::default() };
        let mut all_run = true;
        for need in std::mem::take(&mut self.needs) {
            match need {
                Need::Task(task) => {
                    all_run &= self.running.contains_key(&task);
                    wait.tasks.push(u64::from(task));
                }
                Need::Item(item) => wait.loads.push(self.load(item)),
            }
        }
        if wait.loads.is_empty() && !wait.tasks.is_empty() && all_run {
            self.short_waits.insert(task, (self.events.len(), self.answers));
        }
        self.events.push(Some(Event::Wait(wait)));
    }

    fn asks(&mut self, load: &KeyLoaded, task: u32, at: u32, (source, key): (u32, u32)) {
        let text = self.key_text(source, key);
        let key = self.key(source, key);
        let (task, at, source) = (some(task), self.site(at), self.source(source));
        self.events.push(Some(Event::Load(KeyLoaded {
            task,
            at,
            source,
            key,
            text,
            ..load.clone()
        })));
    }

    fn change(&self, t: u64, task: u32, text: u32) -> ContextChange {
        ContextChange { t, task: u64::from(task), context: self.text(text).unwrap_or_default() }
    }

    fn text(&self, number: u32) -> Option<String> {
        self.log.text_of(number).map(str::to_owned)
    }

    fn next_load(&mut self) -> Id {
        self.last_load += 1;
        self.last_load
    }

    fn load(&mut self, item: Item) -> Id {
        if let Some(&id) = self.loads.get(&item) {
            return id;
        }
        let id = self.next_load();
        self.loads.insert(item, id);
        id
    }

    fn key(&mut self, source: u32, key: u32) -> Option<Id> {
        if key == 0 {
            return None;
        }
        let ids = self.key_ids.entry(source).or_default();
        let next = u64::try_from(ids.len()).unwrap_or(0) + 1;
        Some(*ids.entry(key).or_insert(next))
    }

    fn key_text(&self, source: u32, key: u32) -> Option<String> {
        let source = self.log.sources.get(index(source)?)?;
        let text = source.texts.get(index(key)?)?.as_ref()?;
        self.keys.text(|| text.clone())
    }

    fn site(&mut self, number: u32) -> Option<Id> {
        if let Some(&id) = self.site_ids.get(&number) {
            return Some(id);
        }
        let site = self.log.sites.get(index(number)?)?;
        let within = self.site(site.within);
        // Several places in one line are the same.
        let mut converted = asynq_explain::Site {
            id: 0,
            function: site.function.clone(),
            file: site.file.clone(),
            line: site.line,
            within,
        };
        let next = u64::try_from(self.sites.len()).unwrap_or(0) + 1;
        let id = *self.sites_by_content.entry(converted.clone()).or_insert(next);
        if id == next {
            converted.id = id;
            self.sites.push(converted);
        }
        self.site_ids.insert(number, id);
        Some(id)
    }

    fn source(&mut self, number: u32) -> Id {
        if let Some(&id) = self.source_ids.get(&number) {
            return id;
        }
        let id = u64::try_from(self.sources.len()).unwrap_or(0) + 1;
        let source = index(number).and_then(|index| self.log.sources.get(index));
        let name = source.map_or_else(String::new, |source| source.name.clone());
        let (file, line) = source.and_then(|source| source.place.clone()).unzip();
        self.sources.push(asynq_explain::Source { id, name, file, line });
        self.source_ids.insert(number, id);
        id
    }
}

/// Returns the id with a number, unless that is 0.
fn some(number: u32) -> Option<Id> {
    (number != 0).then(|| u64::from(number))
}
