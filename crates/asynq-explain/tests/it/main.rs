//! The tests of recordings and their explanations, one behaviour each.

mod common;
mod naive;
mod program;

mod findings;
mod format;
mod path;
mod promises;
mod recorder;
mod report;
mod rounds;
#[cfg(feature = "rust")]
mod rust_source;
