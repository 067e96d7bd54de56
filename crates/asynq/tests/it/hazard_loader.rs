//! Keys and values whose `Hash`, `Eq`, `Clone` and `Drop` call the loader that is at work on them.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use asynq::{FutureBase, Loader, all};

use crate::common::assert_usable;

/// The method in which a key or value calls the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Hash,
    Eq,
    Clone,
    Drop,
}

thread_local! {
    static LOADER: RefCell<Option<Loader<Caller, Caller>>> = const { RefCell::new(None) };
    static CALLS_IN: Cell<Option<In>> = const { Cell::new(None) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// A key, and a value, that calls its loader.
#[derive(Debug)]
struct Caller(u32);

impl Caller {
    fn call(&self, method: In) {
        // The key of the call would call again.
        if self.0 >= 100 || CALLS_IN.get() != Some(method) {
            return;
        }
        let Some(loader) = LOADER.with_borrow(Clone::clone) else { return };
        CALLS.set(CALLS.get() + 1);
        loader.prime(Caller(100), Caller(100));
        loader.clear(&Caller(100));
        let load = loader.load(Caller(200));
        // A batch whose keys or values are being cloned may have this key.
        if method != In::Clone {
            assert_eq!(load.value().unwrap().0, 200);
        }
    }
}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.call(In::Hash);
        // Colliding, so that keys are compared.
        (self.0 >= 100).hash(state);
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.call(In::Eq);
        self.0 == other.0
    }
}

impl Eq for Caller {}

impl Clone for Caller {
    fn clone(&self) -> Self {
        self.call(In::Clone);
        Self(self.0)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.call(In::Drop);
    }
}

/// Loads equal and different keys again and again, while one method of theirs calls the loader.
fn every_load_has_its_value(method: In, caches: bool) {
    let loader = Loader::new(|keys: Vec<Caller>| keys);
    let loader = if caches { loader.cache() } else { loader };
    LOADER.set(Some(loader.clone()));
    CALLS_IN.set(Some(method));
    for _ in 0..3 {
        let loads = [1, 2, 1, 3, 3].map(|key| loader.load(Caller(key)));
        let values = all(loads).value().map(|value| value.unwrap().0);
        assert_eq!(values, [1, 2, 1, 3, 3]);
        loader.clear(&Caller(2));
    }
    loader.clear_all();
    CALLS_IN.set(None);
    LOADER.set(None);
    assert!(CALLS.take() > 0, "{method:?} calls the loader");
    assert_usable();
}

#[test]
fn the_hash_of_a_key_may_call_its_loader() {
    every_load_has_its_value(In::Hash, false);
    every_load_has_its_value(In::Hash, true);
}

#[test]
fn the_comparison_of_keys_may_call_their_loader() {
    every_load_has_its_value(In::Eq, false);
    every_load_has_its_value(In::Eq, true);
}

#[test]
fn the_clone_of_a_key_or_value_may_call_its_loader() {
    every_load_has_its_value(In::Clone, false);
    every_load_has_its_value(In::Clone, true);
}

#[test]
fn the_drop_of_a_key_or_value_may_call_its_loader() {
    every_load_has_its_value(In::Drop, false);
    every_load_has_its_value(In::Drop, true);
}

#[test]
fn a_value_that_is_dropped_with_its_loader_may_load() {
    let dropped = Rc::new(Cell::new(false));
    let value = Rc::new(OnDrop(Rc::clone(&dropped)));
    let loader = Loader::new(move |keys: Vec<u32>| vec![Rc::clone(&value); keys.len()]).cache();
    drop(loader.load(1).value());
    drop(loader);
    assert!(dropped.get());
}

struct OnDrop(Rc<Cell<bool>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let other = Loader::new(|keys: Vec<u32>| keys);
        self.0.set(other.load(1).value().is_ok());
    }
}
