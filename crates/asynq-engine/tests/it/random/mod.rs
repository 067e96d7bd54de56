//! Random programs: the engine against a naive model of its contract.

mod any_order;
#[cfg(not(miri))] // it interprets a thousand programs, and none of them on the engine
mod coverage;
mod model;
mod operations;
mod programs;
mod regressions;

use proptest::prelude::*;

use crate::sim::{Driver, Record};
use programs::{Case, case};

/// Runs a program on the engine. After each call nothing may be under way, or active.
fn run(case: &Case) -> Record {
    let mut driver = Driver::new(case.program.clone());
    for &root in &case.roots {
        driver.call(root);
        assert_eq!(driver.engine.depth(), 0);
        assert_eq!(driver.engine.active_contexts(), []);
    }
    driver.into_record()
}

/// Compares the record of the engine with that of the model, down to the order of every step.
fn compare(case: &Case) -> Result<(), TestCaseError> {
    let engine = run(case);
    let model = model::run(&case.program, &case.roots);
    prop_assert_eq!(engine.log(), model.log);
    prop_assert_eq!(engine.calls.last(), Some(&Ok(1)));
    prop_assert_eq!(engine.calls, model.calls);
    prop_assert_eq!(engine.results, model.results);
    prop_assert_eq!(engine.flushes, model.flushes);
    prop_assert_eq!(engine.ran, model.ran);
    prop_assert_eq!(engine.max_depth, model.max_depth);
    prop_assert_eq!(engine.tasks_left, model.tasks_left);
    prop_assert_eq!(engine.batches_left, model.batches_left);
    Ok(())
}

/// 1,000 programs unless the environment says otherwise. What a longer run finds becomes a named
/// test, which tells more than a seed in a file.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = if cfg!(miri) { 10 } else { 1_000 };
    }
    config.max_shrink_iters = 50_000;
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_engine_does_what_the_model_does(case in case()) {
        compare(&case)?;
    }
}
