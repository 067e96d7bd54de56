//! Recordings: what the scheduler and the loaders tell of their steps.
//!
//! # Note: who tells what
//!
//! The scheduler calls a hook at each step (`hooks`), and so do sources, loaders (`keys`) and requests (`requests`).
//! Each asks [`is_on`] before, which is all that they cost when nothing is recorded. A hook adds a step (`step`) to the
//! logs of its thread (`logs`, `thread_log`, `batch_log`): numbers and references, no texts. A log hands its steps over in `pieces`
//! to the recording (`session`), which several threads may share; `program` is the one of a whole program. Events and
//! reports are made of them when somebody reads the recording (`convert`, `code`, `report`). Without the feature
//! `explain`, the hooks do nothing (`no_recording.rs`).
//!
//! Recorded code runs as if somebody listened to its events: calls are tasks, and none is polled in place.

pub(crate) mod answers;
mod batch_log;
mod clock;
mod code;
mod convert;
mod functions;
mod hooks;
mod keys;
mod logs;
mod pieces;
mod program;
pub(crate) mod report;
mod requests;
mod session;
mod step;
mod tables;
mod thread_log;

pub(crate) use self::functions::Calling;
pub(crate) use self::hooks::{
    SentFor, awaited, blocks, call_begins, call_ends, created, ends, entered, flush_begins,
    flush_deferred, flush_ends, flush_fails, left, runs,
};
pub(crate) use self::keys::{
    Asked, Origin, Sent, add_item, answered, asked, join_load, loaded, sent, taken,
};
pub(crate) use self::logs::{Attached, attach, hand_over, is_on};
pub(crate) use self::program::write_report;
pub(crate) use self::requests::RecordedRequest;
pub(crate) use self::session::Session;
