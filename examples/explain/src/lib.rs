//! Programs that take more rounds than they need, and the same programs as asynq advises.
//!
//! Each module is a page with one fault (`page`) and without it (`advised`). `clean` has pages that look like those with faults
//! and take no round too many. `tests/findings.rs` holds what `asynq::explain` says about all of them.
#![forbid(unsafe_code)]

pub mod clean;
pub mod duplicate;
pub mod early_await;
pub mod loop_of_awaits;
pub mod own_cache;
pub mod store;
pub mod synchronous_call;
