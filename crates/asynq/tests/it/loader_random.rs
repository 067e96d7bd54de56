//! Random programs of loads, against a plain evaluation: round after round, all tasks at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use asynq::{AsyncTask, FutureBase, LocalLoader, all};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Program {
    /// The keys that each task loads, one after the other.
    tasks: Vec<Vec<u8>>,
    max_batch_size: usize,
    caches: bool,
}

fn programs() -> impl Strategy<Value = Program> {
    let tasks = vec(vec(0..12_u8, 0..6), 0..8);
    (tasks, 1..6_usize, any::<bool>()).prop_map(|(tasks, max_batch_size, caches)| Program {
        tasks,
        max_batch_size,
        caches,
    })
}

fn value(key: u8) -> u32 {
    u32::from(key) * 10
}

/// The batches that the loader makes, and what the tasks get.
fn run(program: &Program) -> (Vec<Vec<u8>>, Vec<Vec<u32>>) {
    let batches: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let loader = LocalLoader::new({
        let batches = Rc::clone(&batches);
        move |keys: Vec<u8>| {
            batches.borrow_mut().push(keys.clone());
            keys.into_iter().map(value).collect::<Vec<_>>()
        }
    })
    .max_batch_size(program.max_batch_size);
    let loader = if program.caches { loader.cache() } else { loader };
    let tasks = program.tasks.iter().cloned().map(|keys| {
        let loader = loader.clone();
        AsyncTask::new(async move {
            let mut values = Vec::new();
            for key in keys {
                values.push(loader.load(key).await.unwrap());
            }
            values
        })
    });
    let values = all(tasks).value();
    (batches.take(), values)
}

/// The batches that there should be.
fn model(program: &Program) -> Vec<Vec<u8>> {
    let rounds = program.tasks.iter().map(Vec::len).max().unwrap_or(0);
    let mut kept = BTreeSet::new();
    let mut batches = Vec::new();
    for round in 0..rounds {
        let mut fresh: Vec<u8> = Vec::new();
        for key in program.tasks.iter().filter_map(|keys| keys.get(round)) {
            if !kept.contains(key) && !fresh.contains(key) {
                fresh.push(*key);
            }
        }
        if program.caches {
            kept.extend(fresh.iter().copied());
        }
        batches.extend(fresh.chunks(program.max_batch_size).map(<[u8]>::to_vec));
    }
    batches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_loader_makes_the_batches_of_the_model_and_gives_every_value(program in programs()) {
        let (batches, values) = run(&program);
        prop_assert_eq!(batches, model(&program));
        let expected: Vec<Vec<u32>> =
            program.tasks.iter().map(|keys| keys.iter().copied().map(value).collect()).collect();
        prop_assert_eq!(values, expected);
    }
}
