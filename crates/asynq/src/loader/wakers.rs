//! Wakers of the loads that wait for the keys of a loader.

use std::mem;
use std::num::NonZero;
use std::task::Waker;

use slab::Slab;
use smallvec::SmallVec;

use super::spare::is_too_large;

/// The waits of all loads that were polled outside of the scheduler.
///
/// Loads that are polled one after the other nearly always belong to one task, so a waker that is equal to the one
/// before it is kept once.
#[derive(Default)]
pub(super) struct Wakers {
    /// Waits that are not the first of their keys.
    further: Slab<Wait>,
    kept: Slab<Kept>,
    /// The waker that was registered last, if it is kept.
    last: Option<KeptId>,
    woken: SmallVec<[Waker; 2]>,
    /// Number of times that `woken` was taken.
    turn: u64,
    /// Wakers that nobody needs, to be dropped without the lock.
    unused: Vec<Waker>,
}

/// The waits for one key, in the order in which they began. Most keys have one.
#[derive(Default)]
pub(super) struct WaitList {
    /// Waker of the first.
    first: Option<KeptId>,
    rest: Option<Ends>,
}

#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

/// The wait of a load, until its key is resolved.
#[derive(Clone, Copy)]
pub(super) enum WaitId {
    First,
    Further(u32),
}

struct Wait {
    waker: KeptId,
    next: Option<u32>,
}

type KeptId = NonZero<u32>;

struct Kept {
    waker: Waker,
    /// Number of waits that have it.
    uses: u32,
    /// Turn in which it was woken last, plus one.
    woken: u64,
}

impl Wakers {
    /// Adds the wait of a load, or gives the wait `before` of the load this waker.
    #[inline(always)]
    pub(super) fn register(
        &mut self,
        list: &mut WaitList,
        before: Option<WaitId>,
        waker: &Waker,
    ) -> WaitId {
        match before {
            None => self.add(list, waker),
            Some(before) => {
                self.replace(list, before, waker);
                before
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, list: &mut WaitList, waker: &Waker) -> WaitId {
        let waker = self.keep(waker);
        if list.first.is_none() {
            list.first = Some(waker);
            return WaitId::First;
        }
        // Also if the load before it has the same waker: either may go on in another task.
        let wait = index(self.further.insert(Wait { waker, next: None }));
        match &mut list.rest {
            None => list.rest = Some(Ends { first: wait, last: wait }),
            Some(ends) => {
                self.further[ends.last as usize].next = Some(wait);
                ends.last = wait;
            }
        }
        WaitId::Further(wait)
    }

    #[inline(always)]
    fn keep(&mut self, waker: &Waker) -> KeptId {
        if let Some(last) = self.last {
            let kept = &mut self.kept[place(last)];
            if kept.waker.will_wake(waker) {
                kept.uses += 1;
                return last;
            }
        }
        let kept = self.kept.insert(Kept { waker: waker.clone(), uses: 1, woken: 0 });
        let kept = KeptId::MIN.saturating_add(index(kept));
        self.last = Some(kept);
        kept
    }

    fn replace(&mut self, list: &mut WaitList, wait: WaitId, waker: &Waker) {
        let before = match wait {
            WaitId::First => list.first,
            WaitId::Further(wait) => self.further.get(wait as usize).map(|wait| wait.waker),
        };
        let Some(before) = before else { return };
        if self.kept[place(before)].waker.will_wake(waker) {
            return;
        }
        let waker = self.keep(waker);
        match wait {
            WaitId::First => list.first = Some(waker),
            WaitId::Further(wait) => self.further[wait as usize].waker = waker,
        }
        let unused = self.release(before);
        self.unused.extend(unused);
    }

    /// Counts one use of a waker less. Returns the waker after the last one.
    #[inline(always)]
    fn release(&mut self, waker: KeptId) -> Option<Waker> {
        let kept = &mut self.kept[place(waker)];
        kept.uses -= 1;
        if kept.uses > 0 {
            return None;
        }
        if self.last == Some(waker) {
            self.last = None;
        }
        Some(self.kept.remove(place(waker)).waker)
    }

    /// Ends the waits for a key that is resolved, and wakes their loads.
    #[inline(always)]
    pub(super) fn wake(&mut self, list: &mut WaitList) {
        let Some(first) = list.first.take() else { return };
        self.wake_ended(first);
        let mut next = list.rest.take().map(|ends| ends.first);
        while let Some(wait) = next {
            let wait = self.further.remove(wait as usize);
            next = wait.next;
            self.wake_ended(wait.waker);
        }
    }

    #[inline(always)]
    fn wake_ended(&mut self, waker: KeptId) {
        let kept = &mut self.kept[place(waker)];
        if kept.is_woken(self.turn) {
            let unused = self.release(waker);
            self.unused.extend(unused);
        } else if kept.uses > 1 {
            kept.uses -= 1;
            kept.woken = self.turn + 1;
            self.woken.push(kept.waker.clone());
        } else {
            let waker = self.release(waker);
            self.woken.extend(waker);
        }
    }

    /// Wakes the loads that wait for a key, which stays pending.
    pub(super) fn wake_waiting(&mut self, list: &WaitList) {
        let mut next = list.rest.map(|ends| ends.first);
        let mut waker = list.first;
        while let Some(current) = waker {
            let kept = &mut self.kept[place(current)];
            if !kept.is_woken(self.turn) {
                kept.woken = self.turn + 1;
                self.woken.push(kept.waker.clone());
            }
            let wait = next.map(|wait| &self.further[wait as usize]);
            waker = wait.map(|wait| wait.waker);
            next = wait.and_then(|wait| wait.next);
        }
    }

    /// Ends the waits for a key, of which no load is left.
    pub(super) fn forget(&mut self, list: &mut WaitList) {
        let mut next = list.rest.take().map(|ends| ends.first);
        let mut waker = list.first.take();
        while let Some(current) = waker {
            let unused = self.release(current);
            self.unused.extend(unused);
            let wait = next.map(|wait| self.further.remove(wait as usize));
            waker = wait.as_ref().map(|wait| wait.waker);
            next = wait.and_then(|wait| wait.next);
        }
    }

    /// Returns whether there is nobody to wake, and nothing to drop.
    #[inline]
    pub(super) fn are_still(&self) -> bool {
        self.woken.is_empty() && self.unused.is_empty()
    }

    /// Takes the wakers that were woken, and those that are to be dropped.
    pub(super) fn take(&mut self) -> (SmallVec<[Waker; 2]>, Vec<Waker>) {
        self.turn += 1;
        (mem::take(&mut self.woken), mem::take(&mut self.unused))
    }

    /// Gives back the memory of waits that have ended, after rounds of so many keys.
    pub(super) fn sweep(&mut self, keys: usize) {
        if self.further.is_empty() && is_too_large(self.further.capacity(), keys) {
            self.further = Slab::new();
        }
        if self.kept.is_empty() && is_too_large(self.kept.capacity(), keys) {
            self.kept = Slab::new();
        }
    }
}

impl Kept {
    #[inline]
    fn is_woken(&self, turn: u64) -> bool {
        self.woken == turn + 1
    }
}

fn place(waker: KeptId) -> usize {
    waker.get() as usize - 1
}

fn index(index: usize) -> u32 {
    u32::try_from(index).expect("fewer loads than fit into memory")
}
