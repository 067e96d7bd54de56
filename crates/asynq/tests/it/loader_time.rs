//! The time of batches, in statistics and hooks: of the calls, and of nothing else.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use asynq::loader::LocalGroup;
use asynq::{FutureBase, LocalLoader, all};

const WAIT: Duration = Duration::from_millis(20);

/// Adds up the time that the hook of a loader is told.
fn hooked(loader: LocalLoader<u32, u32>) -> (LocalLoader<u32, u32>, Rc<Cell<Duration>>) {
    let total = Rc::new(Cell::new(Duration::ZERO));
    let added = Rc::clone(&total);
    (loader.after_flush(move |flushed| added.set(added.get() + flushed.time)), total)
}

/// Loads two batches. Returns the time for which they waited.
fn waited(loader: &LocalLoader<u32, u32>) -> Duration {
    let began = Instant::now();
    loader.load_many([1, 2]).value().unwrap();
    began.elapsed().saturating_sub(loader.stats().time)
}

#[test]
fn a_hook_is_told_the_time_that_the_statistics_count() {
    let plain = || LocalLoader::new(|keys: Vec<u32>| keys).max_batch_size(1);
    let slow = || LocalLoader::new(async |keys: Vec<u32>| keys).max_batch_size(1);
    let waits = || slow().group(&LocalGroup::new().max_in_flight(1));
    for (loader, told) in [hooked(plain()), hooked(slow()), hooked(waits())] {
        loader.load_many([1, 2]).value().unwrap();
        assert_eq!(told.get(), loader.stats().time);
    }
}

#[test]
fn the_time_of_a_hook_does_not_count() {
    let loader = LocalLoader::new(|keys: Vec<u32>| keys).max_batch_size(1);
    let loader = loader.before_flush(|_| thread::sleep(WAIT)).after_flush(|_| thread::sleep(WAIT));
    assert!(waited(&loader) >= 4 * WAIT);
}

#[test]
fn the_wait_for_a_permit_does_not_count() {
    let group = LocalGroup::new().max_in_flight(1);
    let busy = LocalLoader::new(|keys: Vec<u32>| {
        thread::sleep(WAIT);
        keys
    });
    let busy = busy.group(&group);
    let waits = LocalLoader::new(|keys: Vec<u32>| keys).group(&group);
    let began = Instant::now();
    drop(all((busy.load(1), waits.load(2))).value());
    let whole = began.elapsed();
    assert!(busy.stats().time >= WAIT);
    assert!(busy.stats().time + waits.stats().time <= whole);
}

#[test]
fn the_time_for_which_a_batch_is_held_does_not_count() {
    let loader = LocalLoader::new(|keys: Vec<u32>| keys).hold(WAIT);
    assert!(waited(&loader) >= WAIT);
}
