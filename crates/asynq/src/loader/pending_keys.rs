//! What was asked for together, so that equal keys can be asked for once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::cache::Place;
use super::handle::{Key, Load};
use super::keys::Keys;
use crate::batch::WeakBatch;

/// The keys of one batch of items: those that it asks for. It may go out in parts.
pub(super) struct Round<K: Key, V: Clone + 'static> {
    batch: RefCell<Option<WeakBatch<Keys<K, V>>>>,
    /// Where the item of a key is. A key that is forgotten meanwhile is not in here.
    items: RefCell<HashMap<K, u32, RandomState>>,
    /// Where to keep what is there for some keys, besides the place of who asked first.
    places: RefCell<Places<K, V>>,
}

type Places<K, V> = HashMap<K, Vec<Place<K, V>>, RandomState>;

impl<K: Key, V: Clone + 'static> Round<K, V> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            batch: RefCell::new(None),
            items: RefCell::default(),
            places: RefCell::default(),
        })
    }

    /// Another handle to the item of `key`, if that is not there yet.
    pub(super) fn item(&self, key: &K) -> Option<Load<K, V>> {
        let index = *self.items.borrow().get(key)?;
        self.batch.borrow().as_ref()?.pending_item(index)
    }

    /// Whether `load` is of this round. That of a batch that was cancelled gets no more loads.
    pub(super) fn takes(&self, load: &Load<K, V>) -> bool {
        self.batch.borrow().as_ref().is_none_or(|batch| batch.has(load))
    }

    /// `load` is the item of `key`.
    pub(super) fn insert(&self, key: K, load: &Load<K, V>) {
        self.batch.borrow_mut().get_or_insert_with(|| load.weak_batch());
        let index = u32::try_from(load.index()).expect("counted by the engine");
        self.items.borrow_mut().insert(key, index);
    }

    /// The value of `key` will be kept in `place` as well.
    pub(super) fn keep_in(&self, key: &K, place: &Place<K, V>) {
        let mut places = self.places.borrow_mut();
        let places = places.entry(key.clone()).or_default();
        if !places.iter().any(|other| Rc::ptr_eq(other, place)) {
            places.push(Rc::clone(place));
        }
    }

    pub(super) fn has_places(&self) -> bool {
        !self.places.borrow().is_empty()
    }

    /// Where else to keep what is there for `key`; `None` if it is not to be kept.
    pub(super) fn places(&self, key: &K) -> Option<Vec<Place<K, V>>> {
        if !self.items.borrow().contains_key(key) {
            return None;
        }
        Some(self.places.borrow().get(key).cloned().unwrap_or_default())
    }

    /// What is on its way for `key` is neither shared nor kept any more.
    pub(super) fn forget(&self, key: &K) {
        self.items.borrow_mut().remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.items.borrow_mut().clear();
    }
}
