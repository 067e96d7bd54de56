//! Rounds: what each task had seen when it asked, as it was or as it would be after a change of the code.
//!
//! `recording.md` defines them.

use std::collections::{HashMap, HashSet};

use crate::event::{How, Id};
use crate::timeline::{Step, Timeline};

/// A change of the code whose effect on the rounds is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Pairs of sites of one task: the second no longer waits for the first.
    pub(crate) together: HashSet<(Id, Id)>,
    /// Sites of synchronous calls that are awaited instead.
    pub(crate) awaited: HashSet<Id>,
    /// Indexes of loads whose values are cached.
    pub(crate) cached: HashSet<usize>,
}

/// The reason why somebody had seen a round when he asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A task had waited.
    Wait {
        task: usize,
        /// Index of the wait in the task.
        wait: usize,
        /// Site at which the task asked after that, or created the task that asked.
        then: Option<Id>,
    },
    /// A synchronous call had returned: to the task that asked, or before the task that asked could run.
    Call {
        call: usize,
        /// Site at which the task that called went on to ask; `None` if another task asked.
        then: Option<Id>,
    },
}

impl Cause {
    /// Returns the cause for something that was asked for at `then` by the task itself.
    fn at(self, then: Option<Id>) -> Self {
        match self {
            Self::Wait { task, wait, .. } => Self::Wait { task, wait, then },
            Self::Call { call, .. } => Self::Call { call, then },
        }
    }
}

/// A round that was seen, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) round: u32,
    pub(crate) cause: Option<Cause>,
}

/// The rounds of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// Round of each batch; 0 for one that the change saves.
    pub(crate) batches: Vec<u32>,
    /// State of knowledge in which each load was asked for.
    pub(crate) loads: Vec<Seen>,
    /// State of knowledge of each task at its end, or now.
    pub(crate) tasks: Vec<Seen>,
    /// Latest round that is known with the value of each load: its own, or one that its flush has seen; 0 before the answer.
    pub(crate) values: Vec<u32>,
}

impl Rounds {
    /// Returns the number of rounds.
    pub(crate) fn count(&self) -> u32 {
        self.batches.iter().copied().max().unwrap_or_default()
    }

    /// Returns the number of rounds of a source.
    pub(crate) fn count_of(&self, source: Id, timeline: &Timeline) -> u32 {
        let of_source = |(batch, &round): (usize, &u32)| {
            (timeline.batches[batch].source == source).then_some(round)
        };
        count(self.batches.iter().enumerate().filter_map(of_source))
    }
}

/// Returns the number of distinct rounds.
pub(crate) fn count(rounds: impl Iterator<Item = u32>) -> u32 {
    let rounds: HashSet<_> = rounds.filter(|&round| round > 0).collect();
    u32::try_from(rounds.len()).unwrap_or(u32::MAX)
}

/// Computes the rounds as they were.
pub(crate) fn rounds(timeline: &Timeline) -> Rounds {
    Pass::new(timeline, &Change::default()).run()
}

/// Computes the rounds as they would be after a change.
pub(crate) fn rounds_after(timeline: &Timeline, change: &Change) -> Rounds {
    Pass::new(timeline, change).run()
}

/// Answers that a task has seen.
#[derive(Clone, Debug, Default)]
struct History {
    /// At its creation, or by calls of others.
    base: Seen,
    /// By its own waits and calls: the latest at each site. What is seen never becomes less, so it is the
    /// greatest.
    own: Vec<(Option<Id>, Seen)>,
    /// The wait that may be over when the task acts.
    wait: Option<usize>,
}

struct Pass<'a> {
    timeline: &'a Timeline,
    change: &'a Change,
    histories: Vec<History>,
    rounds: Rounds,
    /// Tasks of the flush of a batch.
    flush_tasks: HashMap<usize, Vec<usize>>,
    /// Answers that code outside of tasks has seen on each thread, and so everybody who runs later.
    threads: HashMap<u32, Seen>,
    /// Latest round that was answered, of each source on each thread.
    sources: HashMap<(Id, u32), u32>,
    ended: Vec<bool>,
}

impl<'a> Pass<'a> {
    fn new(timeline: &'a Timeline, change: &'a Change) -> Self {
        let mut flush_tasks: HashMap<usize, Vec<usize>> = HashMap::new();
        for (task, node) in timeline.tasks.iter().enumerate() {
            if let Some(batch) = node.flush {
                flush_tasks.entry(batch).or_default().push(task);
            }
        }
        Self {
            timeline,
            change,
            histories: vec![History::default(); timeline.tasks.len()],
            rounds: Rounds {
                batches: vec![0; timeline.batches.len()],
                loads: vec![Seen::default(); timeline.loads.len()],
                tasks: vec![Seen::default(); timeline.tasks.len()],
                values: vec![0; timeline.loads.len()],
            },
            flush_tasks,
            threads: HashMap::new(),
            sources: HashMap::new(),
            ended: vec![false; timeline.tasks.len()],
        }
    }

    fn run(mut self) -> Rounds {
        for &step in &self.timeline.steps {
            self.step(step);
        }
        for task in 0..self.histories.len() {
            if !self.ended[task] {
                self.rounds.tasks[task] = self.seen(task);
            }
        }
        self.rounds
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Create { task } => {
                let node = &self.timeline.tasks[task];
                let seen = match (node.flush, node.parent) {
                    (Some(batch), _) => Seen { round: self.rounds.batches[batch], cause: None },
                    (None, Some(parent)) => self.seen_at(parent, node.at),
                    (None, None) => self.thread(node.thread),
                };
                self.histories[task].base = seen;
            }
            Step::Run { task } => {
                self.end_wait(task);
                let held_up = self.thread(self.timeline.tasks[task].thread);
                if held_up.round > self.seen(task).round {
                    self.histories[task].base = held_up;
                }
            }
            Step::Wait { task, wait } => {
                self.end_wait(task);
                self.histories[task].wait = Some(wait);
            }
            Step::End { task } => {
                self.end_wait(task);
                self.rounds.tasks[task] = self.seen(task);
                self.ended[task] = true;
            }
            Step::Load { load } => {
                let node = &self.timeline.loads[load];
                self.rounds.loads[load] = if let Some(task) = node.task {
                    self.end_wait(task);
                    self.seen_at(task, node.at)
                } else {
                    // Nobody knows what code outside of tasks has waited for.
                    let source = self.sources.get(&(node.source, node.thread)).copied();
                    let (seen, round) = (self.thread(node.thread), source.unwrap_or_default());
                    if round > seen.round { Seen { round, cause: None } } else { seen }
                };
            }
            Step::Flush { batch } => self.rounds.batches[batch] = self.round(batch),
            Step::Answer { batch } => self.answer(batch),
            Step::Return { call } => self.return_from(call),
        }
    }

    /// Returns the round of a batch that is sent now.
    fn round(&self, batch: usize) -> u32 {
        let node = &self.timeline.batches[batch];
        let is_sent = |load: &&usize| {
            self.timeline.loads[**load].how == How::New && !self.change.cached.contains(*load)
        };
        if node.loads.iter().any(|load| self.timeline.loads[*load].how == How::New) {
            let seen = node.loads.iter().filter(is_sent).map(|&load| self.rounds.loads[load].round);
            // Nothing is left of a batch whose keys are all cached.
            seen.max().map_or(0, |seen| seen + 1)
        } else {
            // The loads were dropped.
            self.threads.get(&node.thread).map_or(0, |seen| seen.round) + 1
        }
    }

    fn answer(&mut self, batch: usize) {
        let node = &self.timeline.batches[batch];
        let round = self.rounds.batches[batch];
        let flushes = self.flush_tasks.get(&batch).into_iter().flatten();
        let by_flushes =
            flushes.map(|&task| self.seen(task).round.max(self.rounds.tasks[task].round));
        // A flush begins with the round of its batch.
        let by_flush = by_flushes.max().filter(|&seen| seen > round).unwrap_or_default();
        for &load in &node.loads {
            let needed = self.timeline.loads[load].of.unwrap_or(load);
            self.rounds.values[load] = by_flush.max(self.rounds.loads[needed].round + 1);
        }
        let latest = self.sources.entry((node.source, node.thread)).or_default();
        *latest = round.max(*latest);
    }

    fn return_from(&mut self, call: usize) {
        let node = &self.timeline.calls[call];
        let Some(root) = node.root else { return };
        let seen = if self.ended[root] { self.rounds.tasks[root] } else { self.seen(root) };
        if let Some(caller) = node.task {
            let cause = Some(Cause::Call { call, then: None });
            self.raise(caller, node.at, Seen { round: seen.round, cause });
            if node.at.is_some_and(|at| self.change.awaited.contains(&at)) {
                return;
            }
        }
        // Code outside of tasks goes on after its call, as after anything else.
        let cause = node.task.map(|_| Cause::Call { call, then: None });
        let thread = self.threads.entry(node.thread).or_default();
        if seen.round > thread.round {
            *thread = Seen { round: seen.round, cause };
        }
    }

    fn thread(&self, thread: u32) -> Seen {
        self.threads.get(&thread).copied().unwrap_or_default()
    }

    /// Adds what a task has seen by the wait that is over now that it acts.
    fn end_wait(&mut self, task: usize) {
        let Some(wait) = self.histories[task].wait.take() else { return };
        let node = &self.timeline.tasks[task].waits[wait];
        let by_tasks = node.tasks.iter().filter(|&&other| self.ended[other]);
        let by_tasks = by_tasks.map(|&other| self.rounds.tasks[other].round);
        let by_loads = node.loads.iter().map(|&load| self.seen_in_value(load));
        let round = by_tasks.chain(by_loads).max().unwrap_or_default();
        let cause = Some(Cause::Wait { task, wait, then: None });
        self.raise(task, node.at, Seen { round, cause });
    }

    /// Returns what somebody has seen who has got the value of a load.
    fn seen_in_value(&self, load: usize) -> u32 {
        let of = self.timeline.loads[load].of.unwrap_or(load);
        // A cached value has needed no request.
        let value = if self.change.cached.contains(&of) { 0 } else { self.rounds.values[load] };
        value.max(self.rounds.loads[load].round)
    }

    fn raise(&mut self, task: usize, at: Option<Id>, seen: Seen) {
        let own = &mut self.histories[task].own;
        match own.iter_mut().find(|(site, _)| *site == at) {
            Some((_, before)) if before.round >= seen.round => {}
            Some((_, before)) => *before = seen,
            None => own.push((at, seen)),
        }
    }

    fn seen(&self, task: usize) -> Seen {
        let history = &self.histories[task];
        let own = history.own.iter().map(|(_, seen)| *seen);
        own.fold(history.base, |most, seen| if seen.round > most.round { seen } else { most })
    }

    /// Returns what a task has seen that asks for something at `at`.
    fn seen_at(&self, task: usize, at: Option<Id>) -> Seen {
        let history = &self.histories[task];
        let is_together = |site: Option<Id>| match (site, at) {
            (Some(site), Some(at)) => self.change.together.contains(&(site, at)),
            _ => false,
        };
        let own = history.own.iter().filter(|(site, _)| !is_together(*site));
        own.fold(history.base, |most, (_, seen)| {
            if seen.round > most.round {
                Seen { round: seen.round, cause: seen.cause.map(|cause| cause.at(at)) }
            } else {
                most
            }
        })
    }
}
