//! A naive loader: lists that are searched from front to back, and no state that could be computed.

use std::mem;

use asynq_loader::Settings;

/// Fate of a requested key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Unsent,
    /// In the part with this number.
    Sent(usize),
    Cached,
    Ended,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) fate: Fate,
    waiters: usize,
    is_cleared: bool,
    arrival: u64,
    deadline: Option<u64>,
    /// For a cached key: the keys that it waits for, once it is ready.
    waits_for: Option<Vec<usize>>,
    /// The part that it was sent with.
    part: Option<usize>,
    /// Number of the time at which it became ready.
    ready: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Waits for a permit, for keys that became ready at that time or later.
    Waiting(usize),
    Sent(Vec<usize>),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Claim(usize),
    Cancel(usize),
    Resolve(usize),
    Late(usize),
    Forget(usize),
}

pub(super) struct Model {
    settings: Settings,
    pub(super) keys: Vec<Key>,
    pub(super) parts: Vec<Part>,
    is_held: bool,
    ready_times: usize,
    /// Keys for which the next part is claimed: those that became ready at that time or later.
    claimed_for: usize,
    pub(super) hits: usize,
    pub(super) sizes: Vec<usize>,
    actions: Vec<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    Shared,
    Gone,
    SelfWait,
}

impl Model {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            keys: Vec::new(),
            parts: Vec::new(),
            is_held: false,
            ready_times: 0,
            claimed_for: 0,
            hits: 0,
            sizes: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// The actions since the last call, sorted.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        // Cached keys go on when each key that they wait for has left the queue, and its part.
        for key in 0..self.keys.len() {
            let is_done = |waits: &Vec<usize>| {
                waits.iter().all(|&other| {
                    let other = &self.keys[other];
                    let part = other.part.map(|part| &self.parts[part]);
                    other.fate != Fate::Unsent && part.is_none_or(|part| *part == Part::Ended)
                })
            };
            if self.keys[key].fate == Fate::Cached
                && self.keys[key].waits_for.as_ref().is_some_and(is_done)
            {
                self.end(key);
                self.actions.push(Action::Resolve(key));
            }
        }
        let mut actions = mem::take(&mut self.actions);
        actions.sort_unstable();
        actions
    }

    fn size(&self) -> usize {
        self.settings.max_batch_size.max(1)
    }

    pub(super) fn unsent(&self) -> Vec<usize> {
        (0..self.keys.len()).filter(|&key| self.keys[key].fate == Fate::Unsent).collect()
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        let is_waiting = |&part: &usize| matches!(self.parts[part], Part::Waiting(_));
        (0..self.parts.len()).filter(is_waiting).collect()
    }

    fn end(&mut self, key: usize) {
        self.keys[key].fate = Fate::Ended;
    }

    fn forget(&mut self, key: usize) {
        self.end(key);
        self.actions.push(Action::Forget(key));
    }

    fn add(&mut self, fate: Fate, now: u64) {
        self.keys.push(Key {
            fate,
            waiters: 1,
            is_cleared: false,
            arrival: now,
            deadline: None,
            waits_for: None,
            part: None,
            ready: None,
        });
    }

    pub(super) fn load(&mut self, now: u64) {
        self.add(Fate::Unsent, now);
        if self.settings.max_delay.is_some() || self.is_held {
            self.send_full(now);
        }
    }

    pub(super) fn load_cached(&mut self, now: u64) {
        self.hits += 1;
        self.add(Fate::Cached, now);
    }

    pub(super) fn join(&mut self, key: usize, asker: Option<usize>) -> Joined {
        match self.keys[key].fate {
            Fate::Ended => return Joined::Gone,
            Fate::Sent(_) if self.keys[key].is_cleared => return Joined::Gone,
            Fate::Sent(part) if asker == Some(part) => return Joined::SelfWait,
            Fate::Sent(_) | Fate::Unsent | Fate::Cached => {}
        }
        self.keys[key].waiters += 1;
        self.hits += 1;
        Joined::Shared
    }

    pub(super) fn clear(&mut self, key: usize) {
        if matches!(self.keys[key].fate, Fate::Sent(_)) {
            self.keys[key].is_cleared = true;
        }
    }

    pub(super) fn clear_all(&mut self) {
        (0..self.keys.len()).for_each(|key| self.clear(key));
    }

    pub(super) fn cancel(&mut self, key: usize) {
        if self.keys[key].fate == Fate::Ended || self.keys[key].waiters == 0 {
            return;
        }
        self.keys[key].waiters -= 1;
        if self.keys[key].waiters > 0 {
            return;
        }
        match self.keys[key].fate {
            Fate::Cached => self.forget(key),
            Fate::Unsent | Fate::Sent(_) if self.settings.sends_unawaited => {}
            Fate::Unsent => {
                self.forget(key);
                self.withdraw();
            }
            Fate::Sent(part) => {
                if self.awaited(part) == 0 {
                    self.cancel_part(part);
                }
            }
            Fate::Ended => unreachable!(),
        }
    }

    pub(super) fn withdraw_key(&mut self, key: usize) -> bool {
        let is_here = matches!(self.keys[key].fate, Fate::Unsent | Fate::Cached);
        if is_here {
            self.end(key);
            self.withdraw();
        }
        is_here
    }

    fn pending_of(&self, part: usize) -> Vec<usize> {
        let is_of_part = |&key: &usize| self.keys[key].fate == Fate::Sent(part);
        (0..self.keys.len()).filter(is_of_part).collect()
    }

    fn awaited(&self, part: usize) -> usize {
        self.pending_of(part).into_iter().filter(|&key| self.keys[key].waiters > 0).count()
    }

    fn cancel_part(&mut self, part: usize) {
        self.pending_of(part).into_iter().for_each(|key| self.forget(key));
        self.parts[part] = Part::Ended;
        self.actions.push(Action::Cancel(part));
    }

    fn withdraw(&mut self) {
        let unsent = self.unsent().len();
        if unsent == 0 {
            self.is_held = false;
        }
        while self.waiting().len() > unsent.div_ceil(self.size()) {
            let last = *self.waiting().last().unwrap();
            self.parts[last] = Part::Ended;
            self.actions.push(Action::Cancel(last));
        }
    }

    fn claimed(&self) -> usize {
        self.waiting().len().saturating_mul(self.size())
    }

    fn claim(&mut self) {
        self.actions.push(Action::Claim(self.parts.len()));
        self.parts.push(Part::Waiting(self.claimed_for));
    }

    fn send_full(&mut self, now: u64) {
        if self.unsent().len() >= self.claimed().saturating_add(self.size()) {
            self.make_ready(now);
        }
        while self.unsent().len() >= self.claimed().saturating_add(self.size()) {
            self.claim();
        }
    }

    fn make_ready(&mut self, now: u64) {
        self.set_deadlines(now);
        let fresh = self.unsent().into_iter().filter(|&key| self.keys[key].ready.is_none());
        let fresh: Vec<_> = fresh.collect();
        self.claimed_for = 0;
        if !fresh.is_empty() {
            self.ready_times += 1;
            self.claimed_for = self.ready_times;
        }
        for key in fresh {
            self.keys[key].ready = Some(self.ready_times);
        }
    }

    fn set_deadlines(&mut self, now: u64) {
        for key in self.unsent() {
            let timeout = self.settings.timeout.map(|timeout| now + timeout);
            let deadline = &mut self.keys[key].deadline;
            *deadline = deadline.or(timeout);
        }
    }

    fn send(&mut self, now: u64) {
        self.is_held = false;
        self.make_ready(now);
        self.claim_all();
    }

    fn claim_all(&mut self) {
        while self.unsent().len() > self.claimed() {
            self.claim();
        }
    }

    pub(super) fn round_ready(&mut self, now: u64) {
        let Some(&first) = self.unsent().first() else { return };
        self.make_ready(now);
        self.is_held = now < self.keys[first].arrival + self.settings.hold;
        if self.is_held { self.send_full(now) } else { self.claim_all() }
    }

    fn send_time(&self) -> Option<u64> {
        let first = self.keys[*self.unsent().first()?].arrival;
        let held = self.is_held.then_some(self.settings.hold);
        [held, self.settings.max_delay].into_iter().flatten().min().map(|wait| first + wait)
    }

    pub(super) fn round_deadline(&self) -> Option<u64> {
        let unsent = self.unsent();
        if unsent.len() <= self.claimed() {
            return None;
        }
        let late = unsent.iter().filter_map(|&key| self.keys[key].deadline);
        late.chain(self.send_time()).min()
    }

    pub(super) fn round_late(&mut self, now: u64) {
        if self.round_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        self.fail_late(self.unsent(), now);
        self.withdraw();
        if self.send_time().is_some_and(|time| time <= now) {
            self.send(now);
        }
    }

    pub(super) fn cached_ready(&mut self, with_round: bool) {
        let waits = if with_round { self.unsent() } else { Vec::new() };
        for key in &mut self.keys {
            if key.fate == Fate::Cached && key.waits_for.is_none() {
                key.waits_for = Some(waits.clone());
            }
        }
    }

    pub(super) fn permit(&mut self, part: usize, now: u64) -> bool {
        if matches!(self.parts[part], Part::Waiting(_)) {
            self.late(part, now);
        }
        let Part::Waiting(claimed_for) = self.parts[part] else { return false };
        self.set_deadlines(now);
        let mut keys = self.unsent();
        let is_own = |key: &usize| self.keys[*key].ready.is_none_or(|time| time >= claimed_for);
        if self.waiting()[0] != part && keys.iter().any(is_own) {
            keys.retain(is_own);
        }
        keys.truncate(self.size());
        for &key in &keys {
            self.keys[key].fate = Fate::Sent(part);
            self.keys[key].part = Some(part);
        }
        self.sizes.push(keys.len());
        self.parts[part] = Part::Sent(keys);
        self.is_held &= !self.unsent().is_empty();
        true
    }

    pub(super) fn answered(&mut self, part: usize, index: usize) -> Option<(usize, bool)> {
        let Part::Sent(keys) = &self.parts[part] else { return None };
        let key = *keys.get(index)?;
        if self.keys[key].fate != Fate::Sent(part) {
            return None;
        }
        self.end(key);
        Some((key, !self.keys[key].is_cleared))
    }

    pub(super) fn ended(&mut self, part: usize) -> Option<Vec<usize>> {
        if !matches!(self.parts[part], Part::Sent(_)) {
            self.parts[part] = Part::Ended;
            return None;
        }
        let unanswered = self.pending_of(part);
        for &key in &unanswered {
            self.end(key);
        }
        self.parts[part] = Part::Ended;
        Some(unanswered)
    }

    fn candidates(&self, part: usize) -> Vec<usize> {
        match self.parts[part] {
            Part::Waiting(_) => self.unsent(),
            Part::Sent(_) => self.pending_of(part),
            Part::Ended => Vec::new(),
        }
    }

    /// Fails those of the keys that are late. Returns whether there are any.
    fn fail_late(&mut self, mut keys: Vec<usize>, now: u64) -> bool {
        keys.retain(|&key| self.keys[key].deadline.is_some_and(|deadline| deadline <= now));
        for &key in &keys {
            self.end(key);
            self.actions.push(Action::Late(key));
        }
        !keys.is_empty()
    }

    pub(super) fn late(&mut self, part: usize, now: u64) {
        let any_late = self.fail_late(self.candidates(part), now);
        match self.parts[part] {
            Part::Waiting(_) => self.withdraw(),
            Part::Sent(_) if any_late && self.awaited(part) == 0 => self.cancel_part(part),
            Part::Sent(_) | Part::Ended => {}
        }
    }
}
