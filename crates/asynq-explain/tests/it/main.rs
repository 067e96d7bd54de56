//! The tests of recordings and their explanations, one behaviour each.

mod common;
mod naive;
mod options;
mod program;
mod recorder;

mod findings;
mod format;
mod path;
mod promises;
mod report;
mod rounds;
#[cfg(feature = "rust")]
mod rust_source;
