//! The benchmarks: see `--help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    asynq_benchmarks::measure()
}
