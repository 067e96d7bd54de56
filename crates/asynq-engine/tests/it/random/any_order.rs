//! Any calls of the engine in any order.

use std::collections::BTreeSet;

use asynq_engine::{Engine, Event, PriorityRule, Step, Until};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::config;
use super::operations::{self, Operation};
use crate::plain::Plain;

fn sequence() -> impl Strategy<Value = Vec<Operation>> {
    vec(any::<[u8; 2]>().prop_map(Operation::from), 0..300)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_order_of_calls_leaves_the_engine_consistent(operations in sequence()) {
        operations::run(operations);
    }
}

/// Otherwise the property would hold for want of anything happening.
#[test]
fn everything_happens_in_nested_calls_too() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..if cfg!(miri) { 20 } else { 100 } {
        let operations = sequence().new_tree(&mut runner).expect("it filters nothing").current();
        let mut depth = 0;
        for event in operations::run(operations) {
            match event {
                Event::Entered { depth: now, .. } | Event::Exited { depth: now } => depth = now,
                _ if depth < 2 => {}
                other => {
                    let text = format!("{other:?}");
                    let name = text.split(|letter: char| !letter.is_alphabetic()).next();
                    seen.extend(name.map(String::from));
                }
            }
        }
    }
    let all = [
        "Blocked",
        "Continued",
        "Created",
        "Deadlocked",
        "Finished",
        "FlushBegan",
        "FlushDeferred",
        "FlushEnded",
        "Paused",
        "Resumed",
        "Started",
        "Waited",
        "Woken",
    ];
    assert_eq!(seen, all.map(String::from).into());
}

/// Found by the property: the call used to flush the larger batch first.
#[test]
fn a_call_flushes_nothing_for_an_item_that_has_its_value() {
    let mut engine = Engine::<Plain>::new();
    let large = engine.add_batch((), PriorityRule::BySize);
    let small = engine.add_batch((), PriorityRule::BySize);
    let [early, _other] = [(), ()].map(|()| engine.add_item(large).unwrap());
    let late = engine.add_item(small).unwrap();
    let [root, waiting, calling] = [(), (), ()].map(|()| engine.add_task(()));
    engine.enter(root);
    assert_eq!(engine.next(), Step::Run(root));
    engine.depend(waiting);
    engine.depend(calling);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(waiting));
    engine.depend(early);
    engine.depend(late);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(calling));
    engine.complete_item(early);
    engine.enter(waiting);
    assert_eq!(engine.next(), Step::Flush(small));
    engine.close(small);
    assert_eq!(engine.next(), Step::Run(waiting));
}
