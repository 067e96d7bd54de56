//! Loaders: the part that every key passes through.

pub(crate) mod base;
pub(crate) mod counter;
pub(crate) mod delivery;
pub(crate) mod flight_methods;
pub(crate) mod jobs;
pub(crate) mod load;
pub(crate) mod permits;
pub(crate) mod round;
mod round_methods;
pub(crate) mod rounds;
