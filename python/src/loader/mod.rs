//! Loaders: the part that every key passes through.

pub(crate) mod base;
pub(crate) mod load;
pub(crate) mod round;
