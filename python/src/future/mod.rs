//! Futures: their state, how they are computed, and how they are resolved.

pub(crate) mod awaiting;
pub(crate) mod base;
pub(crate) mod compute;
pub(crate) mod constants;
pub(crate) mod lazy;
pub(crate) mod methods;
pub(crate) mod outcome;
pub(crate) mod resolve;
