//! Recordings of the rounds of asynq: why each was needed, and what to change.
//!
//! A face makes a [`Recording`]. From that, an [`Explanation`] computes the rounds, the critical path and
//! the findings, and a [`Report`] or [`text`] draws them. The format of recordings is described in `recording.md`.
//!
//! The crate does no I/O except on the readers and writers that it is given, and has no clock.
#![forbid(unsafe_code)]

// The format.
mod event;
mod keys;
mod options;
mod place;
mod recording;

#[cfg(feature = "rust")]
mod rust_source;

// The analyses. A file uses those above it.
mod timeline;

mod code;
mod finding;
mod names;
mod rounds;

mod critical_path;
mod findings;

mod explanation;

// The reports.
mod lookup;
mod shown_batches;
mod terminal_style;

mod graph;
mod terminal_table;

mod chrome_trace;
mod dot;
mod mermaid;
mod terminal;

mod html;

mod report;

pub use critical_path::Link;
pub use event::{
    BatchAnswered, BatchSent, CallBegins, CallEnds, ContextChange, Event, How, Id, KeyLoaded,
    Reason, TaskCreated, TaskEnds, TaskRuns, TaskWaits, Time,
};
pub use explanation::Explanation;
pub use finding::{Finding, Kind};
pub use keys::{Keys, UnknownKeys};
pub use options::{Options, Sampler};
pub use place::{Flow, Site, Source};
pub use recording::{Header, ReadError, Recording, VERSION};
pub use report::{Report, UnknownReport};
#[cfg(feature = "rust")]
pub use rust_source::flows_of_rust;
pub use terminal::text;
pub use terminal_style::Style;
pub use timeline::{Batch, Load, Task, Wait};
