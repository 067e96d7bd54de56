//! Hooks: what the rest of the crate calls when something happens, while something is recorded.
//!
//! Tasks have a number in the log, which is 0 for those that are not recorded. A hook never fails, and
//! changes nothing that the program can see.

mod needs;
mod requests;
mod tasks;

pub(crate) use self::needs::{
    Asked, Origin, are_asked_for, ask_for_rest, is_asked_for, loads, observe, waits,
};
pub(crate) use self::requests::{
    Because, Request, answered, reason, resolved, sent, set_priority, set_sending,
};
pub(crate) use self::tasks::{NewTask, calls, created, ends, returns, runs, session_of, switches};
