//! Who can never go on.

use std::collections::BTreeSet;

use super::{Model, On, Stage, State};

#[derive(Default)]
struct Knot {
    path: Vec<usize>,
    /// All that are stuck, in the order in which a walk from the root comes to them.
    stuck: Vec<usize>,
    /// Those that wait for something nobody will complete.
    stranded: Vec<usize>,
    /// Those that wait for a task on the path that led to them.
    circular: Vec<usize>,
}

impl Model<'_> {
    /// Nothing can happen in the innermost call: fails those who are at fault, or the call.
    pub(super) fn break_deadlock(&mut self, root: usize) {
        let mut knot = Knot::default();
        if self.is_blocked(root) {
            self.walk(root, &mut knot);
        }
        let is_nested = self.calls.len() > 1;
        let mut victims = match knot.stranded.as_slice() {
            [] => knot.circular,
            // Whoever made the call may yet complete what they wait for.
            _ if is_nested => Vec::new(),
            _ => knot.stranded,
        };
        let mut seen = BTreeSet::new();
        victims.retain(|&victim| seen.insert(victim));
        let names =
            |on: Vec<On>| on.into_iter().map(|on| self.name(on)).collect::<Vec<_>>().join(", ");
        let stuck: Vec<_> = knot
            .stuck
            .iter()
            .map(|&task| {
                format!("{} waits for [{}]", self.tasks[task].name, names(self.still_awaited(task)))
            })
            .collect();
        let failing = names(victims.iter().copied().map(On::Task).collect());
        self.say(&format!("deadlock: {}; fails: [{failing}]", stuck.join(", ")));
        for &victim in &victims {
            self.tasks[victim].error.get_or_insert("deadlock".into());
            self.interrupt(victim);
        }
        if victims.is_empty() {
            self.calls.last_mut().expect("somebody calls").given_up = true;
        }
    }

    fn walk(&self, task: usize, knot: &mut Knot) {
        knot.path.push(task);
        knot.stuck.push(task);
        let awaited = self.still_awaited(task);
        if awaited.is_empty() {
            knot.stranded.push(task);
        }
        for on in awaited {
            match self.waits_behind(on) {
                None => knot.stranded.push(task),
                Some(next) if knot.path.contains(&next) => knot.circular.push(task),
                Some(next) if knot.stuck.contains(&next) => {}
                Some(next) => self.walk(next, knot),
            }
        }
        knot.path.pop();
    }

    /// The blocked task that has to end before `on` is there.
    fn waits_behind(&self, on: On) -> Option<usize> {
        let task = match on {
            On::Task(task) => Some(task),
            On::Item(batch, _) => match self.batches[batch].state {
                Stage::InFlight(carrier) => carrier,
                Stage::Open | Stage::Flushing | Stage::Closed => None,
            },
        };
        task.filter(|&task| self.is_blocked(task))
    }

    fn is_blocked(&self, task: usize) -> bool {
        matches!(self.tasks[task].state, State::Blocked { .. })
    }

    fn still_awaited(&self, task: usize) -> Vec<On> {
        match &self.tasks[task].state {
            State::Blocked { on, .. } => {
                on.iter().copied().filter(|&on| self.outcome(on).is_none()).collect()
            }
            _ => Vec::new(),
        }
    }
}
