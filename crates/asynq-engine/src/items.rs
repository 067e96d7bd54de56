//! The items of a batch, and the waits for them.

use alloc::vec::Vec;
use core::{iter, mem};

use crate::host::Host;
use crate::id::Stamp;
use crate::spare::SPARE_CAPACITY;
use crate::task::{Tasks, is_stale};
use crate::waiter::Waiter;

/// The items of one batch.
///
/// Nearly every item is awaited once. So each one is the wait for it, or a mark in its place, and a wait
/// allocates nothing. The waits for an item with several are a chain in a list of all of these.
#[derive(Debug, Default)]
pub(crate) struct Items {
    items: Vec<Waiter>,
    shared: Vec<SharedWait>,
}

#[derive(Clone, Copy, Debug)]
struct SharedWait {
    waiter: Waiter,
    item: u32,
    /// The index of the wait for the same item before this one; its own if there is none.
    link: u32,
}

/// An item, as it is kept in the place of a wait.
enum Item {
    Unawaited,
    Awaited(Waiter),
    /// The index of the last of several waits.
    Shared(u32),
    Computed,
}

/// The waits for an item.
pub(crate) enum Waits {
    None,
    One(Waiter),
    /// The index of the first: see [`Items::take_wait`].
    Several(u32),
}

const UNAWAITED: Stamp = Stamp::NONE;
const COMPUTED: Stamp = Stamp::mark(u32::MAX);

impl Item {
    #[inline]
    fn read(place: Waiter) -> Self {
        match place.stamp.as_mark() {
            None if place.stamp == UNAWAITED => Self::Unawaited,
            None => Self::Awaited(place),
            Some(u32::MAX) => Self::Computed,
            Some(last) => Self::Shared(last),
        }
    }
}

/// Returns a mark in the place of a wait.
fn mark(stamp: Stamp) -> Waiter {
    Waiter { stamp, ..Waiter::default() }
}

impl Items {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Adds an item. Returns its index.
    #[inline]
    pub(crate) fn push(&mut self) -> u32 {
        let index = u32::try_from(self.items.len()).expect("fewer than 2³² items in a batch");
        self.items.push(mark(UNAWAITED));
        index
    }

    /// Returns whether nobody has waited for some item that is not computed.
    pub(crate) fn has_unawaited(&self) -> bool {
        self.items.iter().any(|place| place.stamp == UNAWAITED)
    }

    #[inline]
    pub(crate) fn is_computed(&self, index: u32) -> bool {
        self.items[index as usize].stamp == COMPUTED
    }

    /// Adds the first wait for an item. Returns `false` if there were others, or the item is computed.
    #[inline]
    pub(crate) fn wait_first(&mut self, index: u32, waiter: Waiter) -> bool {
        let place = &mut self.items[index as usize];
        let is_first = place.stamp == UNAWAITED;
        if is_first {
            *place = waiter;
        }
        is_first
    }

    /// Adds a wait for an item. Returns `false` if the item is computed.
    ///
    /// A task that waits again and again for the first of several things leaves stale waits behind.
    /// They are dropped whenever the list would have to grow and has more waits than there are tasks
    /// and items.
    #[inline]
    pub(crate) fn wait<H: Host>(&mut self, index: u32, waiter: Waiter, tasks: &Tasks<H>) -> bool {
        self.wait_first(index, waiter) || self.wait_with_others(index, waiter, tasks)
    }

    fn wait_with_others<H: Host>(&mut self, index: u32, waiter: Waiter, tasks: &Tasks<H>) -> bool {
        let place = &mut self.items[index as usize];
        match Item::read(*place) {
            Item::Computed => return false,
            Item::Awaited(first) if is_stale(tasks, first) => {
                *place = waiter;
                return true;
            }
            _ => {}
        }
        let waits = self.shared.len();
        if waits == self.shared.capacity() && waits > tasks.len() + self.items.len() {
            self.remove_stale(tasks);
        }
        self.push_wait(index, waiter);
        true
    }

    fn push_wait(&mut self, item: u32, waiter: Waiter) {
        let place = self.items[item as usize];
        let link = match Item::read(place) {
            Item::Awaited(first) => Some(self.push_shared(item, first, None)),
            Item::Shared(last) => Some(last),
            Item::Unawaited | Item::Computed => {
                self.items[item as usize] = waiter;
                return;
            }
        };
        let last = self.push_shared(item, waiter, link);
        self.items[item as usize] = mark(Stamp::mark(last));
    }

    fn push_shared(&mut self, item: u32, waiter: Waiter, link: Option<u32>) -> u32 {
        let index = u32::try_from(self.shared.len()).unwrap_or(u32::MAX);
        assert!(index < u32::MAX, "fewer than 2³² waits for a batch");
        self.shared.push(SharedWait { waiter, item, link: link.unwrap_or(index) });
        index
    }

    #[cold]
    fn remove_stale<H: Host>(&mut self, tasks: &Tasks<H>) {
        for place in &mut self.items {
            if let Item::Shared(_) = Item::read(*place) {
                *place = mark(UNAWAITED);
            }
        }
        let mut waits = mem::take(&mut self.shared);
        waits.retain(|wait| !is_stale(tasks, wait.waiter));
        // Room for as many again, before the next search.
        self.shared.reserve(2 * waits.len());
        for SharedWait { waiter, item, .. } in waits {
            self.push_wait(item, waiter);
        }
    }

    /// Notes that an item is computed. Returns the waits for it.
    #[inline]
    pub(crate) fn complete(&mut self, index: u32) -> Waits {
        let place = mem::replace(&mut self.items[index as usize], mark(COMPUTED));
        match Item::read(place) {
            Item::Unawaited | Item::Computed => Waits::None,
            Item::Awaited(waiter) => Waits::One(waiter),
            Item::Shared(last) => Waits::Several(self.turn_round(last)),
        }
    }

    /// Turns the chain of waits round. Returns the index of the first.
    fn turn_round(&mut self, last: u32) -> u32 {
        let (mut wait, mut next) = (last, last);
        loop {
            let previous = mem::replace(&mut self.shared[wait as usize].link, next);
            if previous == wait {
                return wait;
            }
            (next, wait) = (wait, previous);
        }
    }

    /// Takes one of several waits for an item that is computed. Returns it, and the index of the next
    /// one.
    pub(crate) fn take_wait(&mut self, index: u32) -> (Waiter, Option<u32>) {
        let SharedWait { waiter, link, .. } = &mut self.shared[index as usize];
        (mem::take(waiter), (*link != index).then_some(*link))
    }

    /// Returns the waits for all items that are not computed, in no particular order.
    pub(crate) fn waiters(&self) -> impl Iterator<Item = Waiter> {
        let is_wait = |place: &Waiter| place.stamp != UNAWAITED && place.stamp.as_mark().is_none();
        let of_one = self.items.iter().copied().filter(is_wait);
        let shared = self.shared.iter().map(|wait| wait.waiter);
        of_one.chain(shared.filter(|waiter| waiter.stamp != Stamp::NONE))
    }

    /// Returns the waits for an item that is not computed, the latest first.
    pub(crate) fn waiters_of(&self, index: u32) -> impl Iterator<Item = Waiter> {
        let place = self.items.get(index as usize).map(|&place| Item::read(place));
        let (only, last) = match place {
            Some(Item::Awaited(waiter)) => (Some(waiter), None),
            Some(Item::Shared(last)) => (None, Some(last)),
            Some(Item::Unawaited | Item::Computed) | None => (None, None),
        };
        let before = |&wait: &u32| {
            let link = self.shared[wait as usize].link;
            (link != wait).then_some(link)
        };
        let shared = iter::successors(last, before);
        only.into_iter().chain(shared.map(|wait| self.shared[wait as usize].waiter))
    }

    /// Removes everything, and keeps room for the next batch.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.items.shrink_to(SPARE_CAPACITY);
        self.shared.clear();
        self.shared.shrink_to(SPARE_CAPACITY);
    }
}
