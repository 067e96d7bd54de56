//! The programs of asynq with a recording that goes on and without one: `--help` as of `asynq-benchmarks`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    asynq_benchmarks::measure()
}
