//! Explanations of rounds: why a program needed as many, and which lines to change.
//!
//! [`record`] records what this thread asks of its sources, and which task asked where. The [`Why`] prints the rounds and the
//! findings, and saves reports. [`assert_rounds`] holds them in a test.
//!
//! ```
//! use asynq::{FutureBase, Loader, asynq, explain};
//! use std::sync::LazyLock;
//!
//! static NAME: LazyLock<Loader<u32, String>> = LazyLock::new(|| {
//!     Loader::new(|ids: Vec<u32>| ids.iter().map(|id| format!("user {id}")).collect::<Vec<_>>())
//!         .name("name")
//! });
//!
//! #[asynq]
//! async fn names(ids: Vec<u32>) -> Vec<String> {
//!     let mut names = Vec::new();
//!     for id in ids {
//!         names.push(NAME.load(id).await.unwrap());        // one key a round
//!     }
//!     names
//! }
//!
//! let why = explain::record();
//! names(vec![1, 2, 3]);
//! assert_eq!(why.explanation().rounds, 3);
//! println!("{why}");
//! ```
//!
//! The environment variable `ASYNQ_EXPLAIN` records all threads of a program that is compiled with the feature
//! `explain`, and writes the report when the main thread ends: to the file that it names, or with `1` as text to
//! standard error. A program that ends by [`std::process::exit`] on another thread calls [`write_report`] before.

mod answers;
mod assert;
mod program;
mod why;

pub use asynq_explain::{
    Batch, Event, Explanation, Finding, Keys, Kind, Link, Load, Options, Reason, Recording, Task,
    Wait,
};

pub use self::answers::{NotRecorded, RecordedAnswers, record_answers, replay_answers};
pub use self::assert::{Rounds, assert_rounds, assert_rounds_of};
pub use self::program::write_report;
pub use self::why::{Why, record, record_with};
