//! Recordings for `asynq.explain()`: what the program asked of its sources, in which rounds, and why.
//!
//! The rest of the crate calls [`hooks`] where something happens, behind a switch of the debug options
//! ([`Switches::RECORD`](crate::options::Switches::RECORD)). [`log`] keeps what was recorded in a compact form;
//! [`convert`] makes of it a recording in the format of `asynq-explain`, which explains and draws it.

pub(crate) mod answers;
pub(crate) mod convert;
pub(crate) mod coroutines;
pub(crate) mod hooks;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod observer;
pub(crate) mod places;
pub(crate) mod recording;
pub(crate) mod session;
pub(crate) mod step;
pub(crate) mod tasks;
