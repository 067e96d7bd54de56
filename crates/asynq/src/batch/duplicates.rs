//! Items of which several handles take a clone of the value, and items that have the value of another.

use std::mem;
use std::panic::resume_unwind;

use super::cell::BatchCell;
use super::sharing::sharing_of;
use super::slot::{CloneValue, Slot, clone_slot};

/// # Shared items
impl<K, V> BatchCell<K, V> {
    pub(super) fn take_shared(
        &self,
        index: u32,
        slot: Slot<V>,
        clone_value: CloneValue<V>,
    ) -> Slot<V> {
        let (index, slot) = match slot {
            Slot::Duplicate { of, .. } => {
                self.remove_duplicate(of);
                (of, self.replace(of, Slot::Taken))
            }
            slot => (index, slot),
        };
        if !self.remove_handle(index) {
            return slot;
        }
        let copy = clone_slot(&slot, clone_value);
        self.replace(index, slot);
        copy.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Counts one handle less. Returns whether there are others.
    fn remove_handle(&self, index: u32) -> bool {
        match self.sharing.borrow_mut().get_mut(index as usize) {
            Some(item) if item.handles > 0 => {
                item.handles -= 1;
                true
            }
            _ => false,
        }
    }

    /// Counts one duplicate less that has to take its clone.
    fn remove_duplicate(&self, of: u32) {
        if let Some(item) = self.sharing.borrow_mut().get_mut(of as usize) {
            item.duplicates = item.duplicates.saturating_sub(1);
        }
    }

    /// Counts one more handle to an item, which will take a clone of its value.
    pub(super) fn add_handle(&self, index: u32, clone_value: CloneValue<V>) {
        self.clone_value.set(Some(clone_value));
        sharing_of(index, &mut self.sharing.borrow_mut()).handles += 1;
    }

    /// Gives an item the value of another that is pending, or a clone of it.
    pub(super) fn set_duplicate(&self, index: u32, of: u32, clone_value: CloneValue<V>) {
        self.clone_value.set(Some(clone_value));
        let mut sharing = self.sharing.borrow_mut();
        let item = sharing_of(of, &mut sharing);
        item.handles += 1;
        item.duplicates += 1;
        let previous = item.last_duplicate.replace(index).unwrap_or(index);
        self.slots.borrow_mut()[index as usize] = Slot::Duplicate { of, previous };
        self.pending.set(self.pending.get() - 1);
        self.duplicates.set(self.duplicates.get() + 1);
    }

    #[cold]
    pub(super) fn resolve_duplicates_of(&self, index: u32) {
        let last = self.sharing.borrow().get(index as usize).and_then(|item| item.last_duplicate);
        let mut duplicates: Vec<_> = {
            let slots = self.slots.borrow();
            let previous = |&index: &u32| match slots[index as usize] {
                Slot::Duplicate { previous, .. } if previous != index => Some(previous),
                _ => None,
            };
            std::iter::successors(last, previous).collect()
        };
        duplicates.reverse();
        for index in duplicates {
            self.entry.resolve(index);
            self.run_callbacks_of(index);
        }
    }

    /// Gives the duplicates clones of the values, one after the other: later, each would have to wait for
    /// memory.
    pub(super) fn distribute(&self) {
        let Some(clone_value) = self.clone_value.get() else { return };
        for index in 0..self.len() {
            let (of, slot) = {
                let mut slots = self.slots.borrow_mut();
                let Slot::Duplicate { of, .. } = slots[index] else { continue };
                (of, mem::replace(&mut slots[of as usize], Slot::Taken))
            };
            let copy = clone_slot(&slot, clone_value);
            let mut slots = self.slots.borrow_mut();
            slots[of as usize] = slot;
            match copy {
                Ok(copy) => slots[index] = copy,
                // It is left to those who take the value.
                Err(_) => self.remove_duplicate(of),
            }
        }
        let mut handles = 0;
        for item in self.sharing.borrow_mut().iter_mut() {
            item.handles -= mem::take(&mut item.duplicates);
            handles |= item.handles;
        }
        if handles == 0 {
            self.clone_value.set(None);
        }
    }
}
