//! Keys and values whose `Hash`, `Eq`, `Clone` and `Drop` call the loader that is at work on them.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use asynq::loader::LocalGroup;
use asynq::{FutureBase, Loader, LocalLoader, all, call_with_context};

use crate::common::assert_usable;

/// The method in which a key or value calls the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Hash,
    Eq,
    Clone,
    Drop,
}

/// A loader, its group, and one of the calls that a method makes.
#[derive(Clone)]
struct Target {
    loader: LocalLoader<Caller, Caller>,
    group: LocalGroup,
    call: fn(&Target, In),
}

/// The calls, of which each is tried.
const CALLS: [fn(&Target, In); 6] = [
    |Target { loader, .. }, method| {
        let load = loader.load(Caller(200));
        // A batch whose keys or values are being cloned may have this key.
        if method != In::Clone {
            assert_eq!(load.value().unwrap().0, 200);
        }
    },
    |Target { loader, .. }, _| {
        loader.prime(Caller(100), Caller(100));
        loader.clear(&Caller(100));
    },
    |Target { loader, .. }, _| {
        loader.prime_many([100, 101].map(|key| (Caller(key), Caller(key))));
    },
    |Target { loader, .. }, _| loader.clear_all(),
    |Target { group, .. }, _| group.clear_all(),
    |Target { loader, group, .. }, _| {
        call_with_context(group.scope(), || {
            loader.prime(Caller(100), Caller(100));
            call_with_context(loader.scope(), || loader.prime(Caller(100), Caller(100)));
        });
    },
];

thread_local! {
    static TARGET: RefCell<Option<Target>> = const { RefCell::new(None) };
    static CALLS_IN: Cell<Option<In>> = const { Cell::new(None) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
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
        let Some(target) = TARGET.with_borrow(Clone::clone) else { return };
        COUNT.set(COUNT.get() + 1);
        (target.call)(&target, method);
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

/// Loads, primes and clears equal and different keys, while one method of theirs calls the loader.
fn every_load_has_its_value(method: In, caches: bool) {
    for call in CALLS {
        let group = LocalGroup::new();
        let loader = LocalLoader::new(|keys: Vec<Caller>| keys).group(&group);
        let loader = if caches { loader.cache() } else { loader };
        TARGET.set(Some(Target { loader: loader.clone(), group: group.clone(), call }));
        CALLS_IN.set(Some(method));
        for _ in 0..3 {
            let loads = [1, 2, 1, 3, 3].map(|key| loader.load(Caller(key)));
            let values = all(loads).value().map(|value| value.unwrap().0);
            assert_eq!(values, [1, 2, 1, 3, 3]);
            loader.clear(&Caller(2));
        }
        loader.clear_all();
        loader.prime_many([4, 5, 4].map(|key| (Caller(key), Caller(key))));
        group.clear_all();
        call_with_context(group.scope(), || {
            loader.prime_many([4, 5, 4].map(|key| (Caller(key), Caller(key))));
            let values = loader.load_each([4, 6, 6].map(Caller)).value();
            let values: Vec<_> = values.into_iter().map(|value| value.unwrap().0).collect();
            assert_eq!(values, [4, 6, 6]);
            group.clear_all();
        });
        CALLS_IN.set(None);
        TARGET.set(None);
        assert!(COUNT.take() > 0, "{method:?} calls the loader");
        assert_usable();
    }
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
    let loader =
        LocalLoader::new(move |keys: Vec<u32>| vec![Rc::clone(&value); keys.len()]).cache();
    drop(loader.load(1).value());
    drop(loader);
    assert!(dropped.get());
}

struct OnDrop(Rc<Cell<bool>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let other = LocalLoader::new(|keys: Vec<u32>| keys);
        self.0.set(other.load(1).value().is_ok());
    }
}

thread_local! {
    static ON_CLONE: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

type Hook = Box<dyn Fn(u32)>;

/// A value that says when it is cloned, as a look-up in a cache does.
#[derive(Debug)]
struct Cloned(u32);

impl Clone for Cloned {
    fn clone(&self) -> Self {
        ON_CLONE.with_borrow(|on_clone| on_clone.iter().for_each(|on_clone| on_clone(self.0)));
        Self(self.0)
    }
}

fn values(keys: Vec<u32>) -> Vec<Cloned> {
    keys.into_iter().map(Cloned).collect()
}

/// Primes key 2 while key 1 is looked up.
fn prime_in_look_up(prime: impl Fn(u32, Cloned) + 'static) {
    prime(1, Cloned(1));
    ON_CLONE.set(Some(Box::new(move |value| {
        if value == 1 {
            prime(2, Cloned(20));
        }
    })));
}

#[test]
fn a_value_that_is_primed_during_a_look_up_is_cached() {
    let loader = Loader::new(values).cache();
    let primed = loader.clone();
    prime_in_look_up(move |key, value| primed.prime(key, value));
    assert_eq!(loader.load(1).value().unwrap().0, 1);
    assert_eq!(loader.load(2).value().unwrap().0, 20);
    assert_eq!(loader.stats().batches, 0);
    ON_CLONE.take();
}

#[test]
fn a_value_that_is_primed_during_a_look_up_is_cached_on_one_thread() {
    let loader = LocalLoader::new(values).cache();
    let primed = loader.clone();
    prime_in_look_up(move |key, value| primed.prime(key, value));
    assert_eq!(loader.load(1).value().unwrap().0, 1);
    assert_eq!(loader.load(2).value().unwrap().0, 20);
    assert_eq!(loader.stats().batches, 0);
    ON_CLONE.take();
}
