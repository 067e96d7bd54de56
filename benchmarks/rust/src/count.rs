//! Counts the allocations and polls of the programs that `asynq-benchmarks` measures.
#![forbid(unsafe_code)]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    asynq_benchmarks::count(|| ALLOCATOR.stats().allocations);
}
