//! The programs turned inside out: no async function, and no library.

use super::Program;
use crate::store::{self, Table};
use crate::workload::{CALLS, NESTED_CALLS, SOURCES, STEPS, UNEVEN_TASKS, WAYS, Workload};

pub(super) fn program(workload: Workload) -> Option<Program> {
    Some(match workload {
        Workload::FanOut(size) => {
            let answers: Vec<u64> = store::answers(size).collect();
            Box::new(move || {
                let users = Table::Authors.ask_once_each(answers.iter().copied());
                Table::Names.ask_once_each(users.into_iter())
            })
        }
        Workload::Requests | Workload::Overlap => return None,
        Workload::Uneven => numbers(UNEVEN_TASKS),
        Workload::Nested => numbers(NESTED_CALLS),
        Workload::Staggered => Box::new(walk_together),
        Workload::Call => Box::new(|| CALLS.map(|key| Table::Numbers.look_up(key)).collect()),
    })
}

fn numbers(count: u64) -> Program {
    let keys: Vec<u64> = (0..count).collect();
    Box::new(move || Table::Numbers.ask_once_each(keys.iter().copied()))
}

/// All walkers go from step to step together.
fn walk_together() -> Vec<u64> {
    let mut totals = vec![0; WAYS.len()];
    let mut asked: Vec<(Vec<usize>, Vec<u64>)> = vec![<_>::default(); SOURCES];
    for step in 0..usize::try_from(STEPS).expect("few") {
        for (walker, way) in WAYS.iter().enumerate() {
            let (source, key) = way[step];
            asked[source].0.push(walker);
            asked[source].1.push(key);
        }
        for (walkers, keys) in asked.iter_mut().filter(|(walkers, _)| !walkers.is_empty()) {
            let numbers = Table::Numbers.ask_once_each(keys.drain(..));
            for (walker, number) in walkers.drain(..).zip(numbers) {
                totals[walker] += number;
            }
        }
    }
    totals
}
