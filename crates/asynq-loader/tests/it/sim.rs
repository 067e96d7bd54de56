//! A face without I/O: keys are numbers, the clock is a number, and calls are answered by the script.

use std::collections::{BTreeMap, HashMap};

use asynq_loader::{ClaimId, Join, LimitId, Loader, Output, PartId, Permits, SlotId};

use crate::scenario::{Action, Answer, Face, Settings, Stats, event};

type Outcome = Result<String, String>;

pub(crate) struct Sim {
    loader: Loader,
    permits: Permits,
    limits: Vec<LimitId>,
    now: u64,
    slots: HashMap<u32, SlotId>,
    pending: HashMap<SlotId, Pending>,
    cache: Option<BTreeMap<u32, Outcome>>,
    caches_errors: bool,
    default: Option<String>,
    claims: HashMap<PartId, ClaimId>,
    calls: Vec<PartId>,
    /// Loads that wait, in their order.
    loads: Vec<(u32, SlotId)>,
    /// Parts whose functions wait, and the slots that they wait for.
    asks: Vec<(PartId, SlotId)>,
    events: Vec<String>,
    outcomes: HashMap<SlotId, Outcome>,
}

struct Pending {
    key: u32,
    cached: Option<Outcome>,
}

impl Face for Sim {
    fn new(settings: &Settings) -> Self {
        let mut permits = Permits::new();
        let limits = settings.max_in_flight.map(|max| permits.add_limit(max));
        let loader = Loader::new(asynq_loader::Settings {
            max_batch_size: settings.max_batch_size.unwrap_or(usize::MAX),
            timeout: settings.timeout,
            max_delay: settings.max_delay,
            hold: settings.hold.unwrap_or(0),
            ..asynq_loader::Settings::default()
        });
        Self {
            loader,
            permits,
            limits: limits.into_iter().collect(),
            now: 0,
            slots: HashMap::new(),
            pending: HashMap::new(),
            cache: settings.caches.then(BTreeMap::new),
            caches_errors: settings.caches_errors,
            default: settings.default.clone(),
            claims: HashMap::new(),
            calls: Vec::new(),
            loads: Vec::new(),
            asks: Vec::new(),
            events: Vec::new(),
            outcomes: HashMap::new(),
        }
    }

    fn act(&mut self, action: &Action) -> Vec<String> {
        match action {
            Action::Load(keys) => keys.iter().for_each(|&key| self.load(key, None)),
            Action::Prime(key, value) => {
                self.detach(*key);
                if let Some(cache) = &mut self.cache {
                    cache.insert(*key, Ok(value.clone()));
                }
            }
            Action::Clear(key) => {
                self.detach(*key);
                if let Some(cache) = &mut self.cache {
                    cache.remove(key);
                }
            }
            Action::ClearAll => {
                self.loader.clear_all();
                if let Some(cache) = &mut self.cache {
                    cache.clear();
                }
            }
            Action::Cancel(key) => {
                let index = self.loads.iter().rposition(|(other, _)| other == key).unwrap();
                let (_, slot) = self.loads.remove(index);
                self.loader.cancel(slot);
            }
            Action::Call(key) => {
                self.loader.hit();
                let outcome = self.cache.as_ref().and_then(|cache| cache.get(key)).unwrap();
                self.events.push(event::outcome(*key, outcome));
            }
            Action::Flush => {}
            Action::Answer(call, answer) => self.answer(*call, answer),
            Action::Fail(call, error) => self.fail(*call, error),
            Action::Ask(call, key) => self.load(*key, Some(self.calls[*call - 1])),
            Action::Pass(time) => self.now += time,
            Action::Busy(time) => {
                self.now += time;
                self.run_timers();
            }
            Action::Stats(_) => unreachable!("the runner compares them"),
        }
        if action.lets_run() {
            self.run();
            self.deliver()
        } else {
            std::mem::take(&mut self.events)
        }
    }

    fn stats(&self) -> Stats {
        let stats = self.loader.stats();
        let asynq_loader::Stats { batches, keys, largest, hits, .. } = stats;
        Stats { batches, keys, largest, hits }
    }
}

impl Sim {
    fn load(&mut self, key: u32, asker: Option<PartId>) {
        if let Some(outcome) = self.cache.as_ref().and_then(|cache| cache.get(&key)) {
            let cached = Some(outcome.clone());
            let slot = self.loader.load_cached();
            self.pending.insert(slot, Pending { key, cached });
            self.loads.push((key, slot));
            return;
        }
        let slot = self.slots.get(&key).copied();
        let slot = match slot.map(|slot| (slot, self.loader.join(slot, |part| asker == Some(part))))
        {
            Some((slot, Join::Shared)) => slot,
            Some((_, Join::SelfWait)) => {
                self.events.push(event::outcome(key, &Err("itself".to_owned())));
                return;
            }
            Some((_, Join::Gone)) | None => self.loader.load(self.now),
        };
        self.slots.insert(key, slot);
        self.pending.insert(slot, Pending { key, cached: None });
        self.loads.push((key, slot));
        if let Some(part) = asker {
            self.asks.push((part, slot));
        }
    }

    fn detach(&mut self, key: u32) {
        if let Some(&slot) = self.slots.get(&key) {
            self.loader.clear(slot);
        }
    }

    fn answer(&mut self, call: usize, answer: &Answer) {
        let part = self.calls[call - 1];
        let slots = self.loader.slots_of(part).unwrap().to_vec();
        for (index, slot) in slots.into_iter().enumerate() {
            let Some(key) = self.pending.get(&slot).map(|pending| pending.key) else { continue };
            let outcome = answer.get(&key).cloned().or_else(|| self.default.clone().map(Ok));
            let outcome = outcome.unwrap_or(Err("missing".to_owned()));
            let Some(answered) = self.loader.answered(part, index) else { continue };
            assert_eq!(answered.slot, slot);
            if answered.is_fresh
                && (outcome.is_ok() || self.caches_errors)
                && let Some(cache) = &mut self.cache
            {
                cache.insert(key, outcome.clone());
            }
            self.outcomes.insert(slot, outcome);
        }
        assert!(self.loader.ended(part, self.now).unwrap().unanswered.is_empty());
        self.release(part);
    }

    fn fail(&mut self, call: usize, error: &str) {
        let part = self.calls[call - 1];
        for slot in self.loader.ended(part, self.now).unwrap().unanswered {
            self.outcomes.insert(slot, Err(error.to_owned()));
        }
        self.release(part);
    }

    fn release(&mut self, part: PartId) {
        if let Some(claim) = self.claims.remove(&part) {
            self.permits.release(claim);
        }
    }

    /// Lets everything run, until nothing can run any more.
    fn run(&mut self) {
        self.run_timers();
        // All loads belong to one step.
        self.loader.cached_ready(true);
        self.loader.round_ready(self.now);
        self.perform();
        self.lend();
    }

    /// Acts on the deadlines that have passed.
    fn run_timers(&mut self) {
        self.perform();
        let parts: Vec<_> = self.claims.keys().copied().collect();
        for part in parts {
            if self.loader.deadline(part).is_some_and(|deadline| deadline <= self.now) {
                self.loader.late(part, self.now);
            }
        }
        self.loader.round_late(self.now);
        self.perform();
    }

    /// Lends the permits of functions that wait.
    fn lend(&mut self) {
        let mut loans = Vec::new();
        for (part, slot) in &self.asks {
            let Some(&lender) = self.claims.get(part) else { continue };
            if self.loader.is_pending(*slot) && self.loader.part_of(*slot).is_none() {
                let waiting = self.loader.waiting_parts().map(|part| self.claims[&part]);
                loans.extend(waiting.map(|borrower| (lender, borrower)));
            }
        }
        for (lender, borrower) in loans {
            self.permits.lend(lender, borrower);
        }
        self.perform();
    }

    fn perform(&mut self) {
        loop {
            if let Some(output) = self.loader.next_output() {
                match output {
                    Output::Claim(part) => {
                        let claim = self.permits.claim(&self.limits, 0);
                        self.claims.insert(part, claim);
                    }
                    Output::Cancel(part) => {
                        self.release(part);
                        if let Some(call) = self.calls.iter().position(|&other| other == part) {
                            self.events.push(event::cancelled(call + 1));
                        }
                    }
                    Output::Resolve(slot) => {
                        let cached = self.pending[&slot].cached.clone().unwrap();
                        self.outcomes.insert(slot, cached);
                    }
                    Output::Forget(slot) => {
                        self.pending.remove(&slot);
                    }
                    Output::Late(slot) => {
                        self.outcomes.insert(slot, Err("late".to_owned()));
                    }
                }
            } else if let Some(claim) = self.permits.next_granted() {
                let is_of_claim = |(_, other): &(&PartId, &ClaimId)| **other == claim;
                let part = *self.claims.iter().find(is_of_claim).unwrap().0;
                if self.loader.permit(part, self.now) {
                    self.calls.push(part);
                    let slots = self.loader.slots_of(part).unwrap();
                    let keys: Vec<_> = slots.iter().map(|slot| self.pending[slot].key).collect();
                    self.events.push(event::call(self.calls.len(), &keys));
                } else {
                    self.release(part);
                }
            } else {
                return;
            }
        }
    }

    /// Gives the loads their outcomes, and returns the events.
    fn deliver(&mut self) -> Vec<String> {
        self.loads.retain(|(key, slot)| match self.outcomes.get(slot) {
            Some(outcome) => {
                self.events.push(event::outcome(*key, outcome));
                false
            }
            None => true,
        });
        for slot in self.outcomes.keys() {
            self.pending.remove(slot);
        }
        self.outcomes.clear();
        std::mem::take(&mut self.events)
    }
}
