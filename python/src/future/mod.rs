//! Futures, and how they are resolved.

pub(crate) mod base;
pub(crate) mod constants;
pub(crate) mod outcome;
