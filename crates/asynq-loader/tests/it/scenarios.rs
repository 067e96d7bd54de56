//! The scenarios of all implementations, here on the state machine.

use crate::scenario;
use crate::sim::Sim;

#[test]
fn every_scenario_holds() {
    scenario::run_all::<Sim>(include_str!("../../scenarios/loaders.txt"));
}
