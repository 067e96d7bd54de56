//! Random programs: rounds are those of the definition, and a program that is changed as a finding says takes the rounds
//! that were promised.

use asynq_explain::{Explanation, Finding, Kind};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::common::rounds;
use crate::naive;
use crate::program::{Program, programs};

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Returns the line of the request that a finding says is late.
fn late_line(finding: &Finding) -> Option<u32> {
    finding.what.rsplit(' ').next()?.parse().ok()
}

/// Awaits the statement at line `after` together with that at `before`.
fn together(program: &Program, before: u32, after: u32) -> Option<Program> {
    let mut program = program.clone();
    let function = program
        .functions
        .iter_mut()
        .find(|function| function.iter().any(|statement| statement.line == before))?;
    let late = function.iter().position(|statement| statement.line == after)?;
    let late = function.remove(late);
    let early = function.iter_mut().find(|statement| statement.line == before)?;
    // What is needed between the two has come later than both.
    if late.needs.iter().any(|&line| line > early.line) {
        return None;
    }
    early.asks.extend(late.asks);
    early.needs.extend(late.needs);
    for statement in function.iter_mut() {
        for line in &mut statement.needs {
            if *line == after {
                *line = before;
            }
        }
    }
    Some(program)
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn rounds_are_those_of_the_definition(program in programs()) {
        let recording = program.run();
        prop_assert_eq!(rounds(&Explanation::of(&recording)), naive::rounds(&recording));
    }

    #[test]
    fn following_a_finding_takes_the_rounds_that_it_promised(program in programs()) {
        let explanation = Explanation::of(&program.run());
        for finding in &explanation.findings {
            prop_assert_eq!(finding.kind, Kind::EarlyAwait);
            let changed = late_line(finding).and_then(|late| together(&program, finding.line, late));
            if let Some(changed) = changed {
                let after = Explanation::of(&changed.run());
                prop_assert_eq!(after.rounds, finding.rounds_after, "{}", finding);
            }
        }
    }

    #[test]
    fn no_program_without_findings_gets_faster_by_awaiting_two_statements_together(program in programs()) {
        let explanation = Explanation::of(&program.run());
        prop_assume!(explanation.findings.is_empty());
        for function in &program.functions {
            for pair in function.windows(2) {
                let [early, late] = pair else { unreachable!() };
                if late.needs.contains(&early.line) {
                    continue;
                }
                if let Some(changed) = together(&program, early.line, late.line) {
                    prop_assert!(Explanation::of(&changed.run()).rounds >= explanation.rounds);
                }
            }
        }
    }
}
