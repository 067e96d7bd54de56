//! Lists of the calls that wait as parts of tasks, for reports of deadlocks.
//!
//! A list says where in the code a task waits, so a program has few different ones, however many tasks it has. Each is
//! kept once, and a task notes its number: that needs neither an allocation nor room in the task.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::call_stack::CallInPlace;

/// Calls that wait as parts of a task, an inner one before the one around it.
#[derive(Clone, Default)]
pub(crate) struct Waiting {
    pub(crate) calls: Vec<CallInPlace>,
    /// The task waits for nothing but the calls.
    pub(crate) is_alone: bool,
}

/// Number of a list, from 1.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WaitingId(u16);

impl WaitingId {
    /// The number of no list, in the place of one: no calls wait.
    pub(crate) const NONE: Self = Self(0);
}

/// The lists of a scheduler.
#[derive(Default)]
pub(crate) struct WaitingCalls {
    lists: Vec<Waiting>,
    ids: HashTable<WaitingId>,
    hasher: FixedState,
    /// The list that was looked up last: often, many tasks wait at one place.
    last: WaitingId,
}

impl WaitingCalls {
    /// Returns a list.
    pub(crate) fn get(&self, id: WaitingId) -> Option<&Waiting> {
        self.lists.get(usize::from(id.0).checked_sub(1)?)
    }

    /// Returns the number of a list. There is none for an empty list, nor for a new one when the numbers are used up:
    /// then reports do not name its calls.
    pub(crate) fn id(&mut self, calls: &[CallInPlace], is_alone: bool) -> WaitingId {
        if calls.is_empty() {
            return WaitingId::NONE;
        }
        let is_last = |last: &Waiting| last.is_alone == is_alone && last.calls == calls;
        if !self.get(self.last).is_some_and(is_last) {
            self.last = self.look_up(calls, is_alone);
        }
        self.last
    }

    fn look_up(&mut self, calls: &[CallInPlace], is_alone: bool) -> WaitingId {
        let Self { lists, ids, hasher, .. } = self;
        let list_of = |id: &WaitingId| &lists[usize::from(id.0) - 1];
        let is_same = |id: &WaitingId| {
            let list = list_of(id);
            list.is_alone == is_alone && list.calls == calls
        };
        let hash = hasher.hash_one((calls, is_alone));
        if let Some(&id) = ids.find(hash, is_same) {
            return id;
        }
        let Ok(number) = u16::try_from(lists.len() + 1) else { return WaitingId::NONE };
        let id = WaitingId(number);
        ids.insert_unique(hash, id, |id| {
            let list = list_of(id);
            hasher.hash_one((&list.calls[..], list.is_alone))
        });
        lists.push(Waiting { calls: calls.to_vec(), is_alone });
        id
    }
}
