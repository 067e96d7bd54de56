//! The items of a batch, and the waits for them.

use alloc::vec::Vec;
use core::mem;

use slotmap::Key as _;

use crate::host::Host;
use crate::id::{TaskId, WaitId};
use crate::spare::SPARE_CAPACITY;
use crate::task::{Tasks, is_stale};
use crate::waiter::Waiter;

/// The items of one batch.
///
/// The waits for all of them are in one list, in the order in which they began. So the end of the
/// batch passes through its tasks in this order, which is mostly that of memory, and a wait allocates
/// nothing of its own. The waits for one item are a chain in the list.
#[derive(Debug, Default)]
pub(crate) struct Items {
    items: Vec<Item>,
    waits: Vec<ItemWait>,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Unawaited,
    /// The index of the last wait for it.
    Awaited(u32),
    Computed,
}

#[derive(Clone, Copy, Debug)]
struct ItemWait {
    waiter: Waiter,
    item: u32,
    /// The index of the wait for the same item before this one; its own if there is none.
    link: u32,
}

impl Items {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Adds an item. Returns its index.
    #[inline]
    pub(crate) fn push(&mut self) -> u32 {
        let index = u32::try_from(self.items.len()).expect("fewer than 2³² items in a batch");
        self.items.push(Item::Unawaited);
        index
    }

    /// Returns whether nobody has waited for some item that is not computed.
    pub(crate) fn has_unawaited(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Unawaited))
    }

    #[inline]
    pub(crate) fn is_computed(&self, index: u32) -> bool {
        matches!(self.items[index as usize], Item::Computed)
    }

    /// Adds a wait for an item. Returns `false` if the item is computed.
    ///
    /// A task that waits again and again for the first of several things leaves stale waits behind.
    /// They are dropped whenever the list would have to grow and has more waits than there are tasks
    /// and items.
    #[inline]
    pub(crate) fn wait<H: Host>(&mut self, index: u32, waiter: Waiter, tasks: &Tasks<H>) -> bool {
        if self.is_computed(index) {
            return false;
        }
        let waits = self.waits.len();
        if waits == self.waits.capacity() && waits > tasks.len() + self.items.len() {
            self.remove_stale(tasks);
        }
        self.push_wait(index, waiter);
        true
    }

    #[inline]
    fn push_wait(&mut self, item: u32, waiter: Waiter) {
        let index = u32::try_from(self.waits.len()).expect("fewer than 2³² waits for a batch");
        let link = match mem::replace(&mut self.items[item as usize], Item::Awaited(index)) {
            Item::Awaited(last) => last,
            Item::Unawaited | Item::Computed => index,
        };
        self.waits.push(ItemWait { waiter, item, link });
    }

    #[cold]
    fn remove_stale<H: Host>(&mut self, tasks: &Tasks<H>) {
        for item in &mut self.items {
            if let Item::Awaited(_) = item {
                *item = Item::Unawaited;
            }
        }
        let mut waits = mem::take(&mut self.waits);
        waits.retain(|wait| !is_stale(tasks, wait.waiter));
        // Room for as many again, before the next search.
        self.waits.reserve(2 * waits.len());
        for ItemWait { waiter, item, .. } in waits {
            self.push_wait(item, waiter);
        }
    }

    /// Notes that an item is computed. Returns the index of the first wait for it.
    pub(crate) fn complete(&mut self, index: u32) -> Option<u32> {
        let Item::Awaited(last) = mem::replace(&mut self.items[index as usize], Item::Computed)
        else {
            return None;
        };
        // Turns the chain round.
        let (mut wait, mut next) = (last, last);
        loop {
            let previous = mem::replace(&mut self.waits[wait as usize].link, next);
            if previous == wait {
                return Some(wait);
            }
            (next, wait) = (wait, previous);
        }
    }

    /// Takes a wait for an item that is computed. Returns it, and the index of the next one.
    pub(crate) fn take_wait(&mut self, index: u32) -> (Waiter, Option<u32>) {
        let ItemWait { waiter, link, .. } = &mut self.waits[index as usize];
        let taken = Waiter { task: TaskId::null(), wait_id: WaitId::NONE };
        (mem::replace(waiter, taken), (*link != index).then_some(*link))
    }

    /// Returns the waits for all items, in the order in which they began. Those that were taken are stale.
    pub(crate) fn waiters(&self) -> impl Iterator<Item = Waiter> {
        self.waits.iter().map(|wait| wait.waiter)
    }

    /// Removes everything, and keeps room for the next batch.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.items.shrink_to(SPARE_CAPACITY);
        self.waits.clear();
        self.waits.shrink_to(SPARE_CAPACITY);
    }
}
