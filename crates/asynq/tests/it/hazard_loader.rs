//! Code of users that a loader runs: keys and values whose `Hash`, `Eq`, `Clone` and `Drop` call the loader or panic, and
//! wakers that panic.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use asynq::loader::LocalGroup;
use asynq::{FutureBase, Loader, LocalLoader, all, call_with_context};
use futures::FutureExt;

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

/// Waker that counts, and panics then if it is a bad one.
struct Counting {
    wakes: AtomicUsize,
    is_bad: bool,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        assert!(!self.is_bad, "a bad waker");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_load_from_being_woken() {
    static WAITING: Mutex<Vec<Waker>> = Mutex::new(Vec::new());
    static IS_ANSWERED: AtomicBool = AtomicBool::new(false);
    let loader = Loader::new(async |keys: Vec<u32>| {
        poll_fn(|cx| {
            WAITING.lock().unwrap().push(cx.waker().clone());
            if IS_ANSWERED.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        keys
    });
    let wakers = [true, false].map(|is_bad| Arc::new(Counting { wakes: 0.into(), is_bad }));
    let mut loads = [loader.load(1), loader.load(2)];
    let mut poll = |index: usize| {
        let waker = Waker::from(Arc::clone(&wakers[index]));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            loads[index].poll_unpin(&mut Context::from_waker(&waker))
        }));
        polled.unwrap_or(Poll::Pending)
    };
    while loader.stats().batches == 0 || wakers[1].wakes.swap(0, Ordering::SeqCst) > 0 {
        assert!(poll(0).is_pending());
        assert!(poll(1).is_pending());
    }

    IS_ANSWERED.store(true, Ordering::SeqCst);
    let answer = WAITING.lock().unwrap().pop().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| answer.wake())).is_err(), "a waker panics");
    assert!(wakers[1].wakes.load(Ordering::SeqCst) > 0);
    assert!(matches!(poll(1), Poll::Ready(Ok(2))));
    assert!(matches!(poll(0), Poll::Ready(Ok(1))));
    assert_usable();
}

/// A key that panics when it is dropped, if it is told to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bomb(u32);

thread_local! {
    static DROPS_PANIC: Cell<bool> = const { Cell::new(false) };
}

impl Drop for Bomb {
    fn drop(&mut self) {
        let panics = DROPS_PANIC.get() && !thread::panicking();
        assert!(!panics, "a key that panics");
    }
}

fn numbers(keys: &[Bomb]) -> Vec<u32> {
    keys.iter().map(|key| key.0).collect()
}

/// Loads four keys at a time, of which each panics when it is dropped. What `load` waits for must end.
fn load_bombs(load: impl Fn(Vec<Bomb>)) {
    DROPS_PANIC.set(true);
    for round in 0..5 {
        let keys = (0..4).map(|key| Bomb(10 * round + key)).collect();
        drop(catch_unwind(AssertUnwindSafe(|| load(keys))));
    }
    DROPS_PANIC.set(false);
}

#[test]
fn a_key_whose_drop_panics_keeps_no_other_batch_from_being_sent() {
    let loader = Loader::new(|keys: Vec<Bomb>| numbers(&keys)).max_batch_size(1);
    load_bombs(|keys| drop(loader.load_many(keys).value()));
    assert_eq!(loader.load(Bomb(1000)).value().unwrap(), 1000);
    assert_usable();
}

#[test]
fn a_key_whose_drop_panics_keeps_no_other_async_batch_from_being_sent() {
    let loader =
        Loader::new(async |keys: Vec<Bomb>| numbers(&keys)).max_batch_size(1).max_in_flight(1);
    load_bombs(|keys| drop(loader.load_many(keys).value()));
    assert_eq!(loader.load(Bomb(1000)).value().unwrap(), 1000);
    assert_usable();
}

#[test]
fn a_key_whose_drop_panics_keeps_no_other_local_batch_from_being_sent() {
    let loader = LocalLoader::new(|keys: Vec<Bomb>| numbers(&keys)).max_batch_size(1);
    load_bombs(|keys| drop(all(keys.into_iter().map(|key| loader.load(key))).value()));
    assert_eq!(loader.load(Bomb(1000)).value().unwrap(), 1000);
    assert_usable();
}
