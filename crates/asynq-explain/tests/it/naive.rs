//! The rounds of a recording, by their definition: from the events alone, backwards.

use std::cell::RefCell;
use std::collections::HashMap;

use asynq_explain::{Event, Id, Recording};

/// A recording, and what is known of its loads already.
struct Naive<'r> {
    recording: &'r Recording,
    seen: RefCell<HashMap<Id, u32>>,
}

/// Returns the rounds of the batches, in order.
pub(crate) fn rounds(recording: &Recording) -> Vec<u32> {
    let naive = Naive { recording, seen: RefCell::default() };
    let batches = recording.events.iter().filter_map(|event| match event {
        Event::Flush(sent) => Some(&sent.loads),
        _ => None,
    });
    let round =
        |loads: &Vec<Id>| 1 + loads.iter().map(|&load| naive.seen_by_load(load)).max().unwrap();
    batches.map(round).collect()
}

impl Naive<'_> {
    fn position(&self, is_it: impl Fn(&Event) -> bool) -> Option<usize> {
        self.recording.events.iter().position(is_it)
    }

    /// Returns what the task had seen that asked for a key.
    fn seen_by_load(&self, id: Id) -> u32 {
        if let Some(&seen) = self.seen.borrow().get(&id) {
            return seen;
        }
        let is_it = |event: &Event| matches!(event, Event::Load(load) if load.id == id);
        let place = self.position(is_it).expect("somebody has asked");
        let Event::Load(load) = &self.recording.events[place] else { unreachable!() };
        let seen = self.seen_by(load.task.expect("a task has asked"), place);
        self.seen.borrow_mut().insert(id, seen);
        seen
    }

    /// Returns what a task had seen before the event at `until`.
    fn seen_by(&self, task: Id, until: usize) -> u32 {
        let mut most = 0;
        let mut wait = None;
        for (place, event) in self.recording.events[..=until].iter().enumerate() {
            match event {
                Event::Task(created) if created.id == task => {
                    most = created.by.map_or(0, |by| self.seen_by(by, place));
                }
                Event::Wait(waits) if waits.task == task => wait = Some(waits),
                Event::Run(run) if run.task == task => {
                    let Some(waits) = wait.take() else { continue };
                    let by_tasks = waits.tasks.iter().map(|&other| {
                        let is_end =
                            |event: &Event| matches!(event, Event::End(end) if end.task == other);
                        self.seen_by(other, self.position(is_end).expect("it has ended"))
                    });
                    let by_loads = waits.loads.iter().map(|&load| self.seen_by_load(load) + 1);
                    most = by_tasks.chain(by_loads).fold(most, u32::max);
                }
                _ => {}
            }
        }
        most
    }
}
