//! The executor of a request, which may hold the thread of a runtime: `block_on` in async code.
//!
//! As the `Note: wakers inside of a poll` in `nested_wakers` says, a waker is woken to find out whose it is: an executor
//! that holds the thread polls again and again before the runtime has had a turn.

use std::task::Waker;

use super::current;
use crate::scheduler::{self, Held, RuntimeTurn};

/// Knowledge of the executor that polls a request.
#[derive(Default)]
pub(super) enum Executor {
    #[default]
    Unknown,
    /// It was woken, and the next turn of the runtime has begun.
    Asked(RuntimeTurn),
    /// It runs everything else between two polls.
    GoesOn,
    /// It holds a thread that would have to run a runtime.
    Holds,
}

impl Executor {
    /// Returns whether the executor was asked, and has not answered yet by polling before the runtime or after it. It is to
    /// be woken again.
    pub(super) fn is_asked(&mut self) -> bool {
        if let Self::Asked(turn) = self {
            match turn.goes_on() {
                None => return true,
                Some(true) => *self = Self::GoesOn,
                Some(false) => *self = Self::Holds,
            }
        }
        false
    }

    /// Asks the executor that polls with `waker`, unless it is known. Returns whether it is to be woken for that.
    pub(super) fn ask(&mut self, waker: &Waker) -> bool {
        if !matches!(self, Self::Unknown) || !current::may_be_nested(waker) {
            return false;
        }
        let is_held = scheduler::held() != Held::Nothing;
        *self = if is_held { Self::Asked(RuntimeTurn::begin()) } else { Self::GoesOn };
        is_held
    }
}
