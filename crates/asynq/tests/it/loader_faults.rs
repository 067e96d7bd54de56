//! Faults of a batch function, one of each kind: every load fails by name, and the next batch works.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use asynq::{AsyncTask, FutureBase, LocalLoader, all};

use crate::common::{assert_usable, later};

/// The key that goes wrong.
const BAD: u32 = 13;

/// Loaders by one function: called where the scheduler runs, in an `async` block, and on another thread.
macro_rules! of_each_kind {
    ($function:expr) => {
        [
            LocalLoader::new($function),
            LocalLoader::new(|keys| async { $function(keys) }),
            LocalLoader::blocking($function),
        ]
        .map(|loader| loader.name("broken"))
    };
}

/// The load of the bad key fails by name, for a reason that has some words in it.
#[track_caller]
fn assert_fails_by_name(loader: &LocalLoader<u32, u32>, words: &str) {
    let [_, bad] = all([loader.load(1), loader.load(BAD)]).value();
    let error = bad.unwrap_err().to_string();
    assert!(error.starts_with("batch broken: "), "{error}");
    assert!(error.contains("key 13") && error.contains(words), "{error}");
}

/// Shows that the next batch works.
#[track_caller]
fn assert_works(loader: &LocalLoader<u32, u32>) {
    assert_eq!(loader.load(1).value().unwrap(), 1);
    assert_usable();
}

#[test]
fn error_of_the_function() {
    fn fails(keys: Vec<u32>) -> Result<Vec<u32>, std::io::Error> {
        if keys.contains(&BAD) { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(keys) }
    }

    for loader in of_each_kind!(fails) {
        assert_fails_by_name(&loader, "broken pipe");
        assert_works(&loader);
    }
}

#[test]
fn error_of_a_key() {
    fn fails(keys: Vec<u32>) -> Vec<Result<u32, &'static str>> {
        keys.into_iter().map(|key| if key == BAD { Err("unlucky") } else { Ok(key) }).collect()
    }

    let loaders = [
        LocalLoader::try_new(fails),
        LocalLoader::try_new(|keys| async { fails(keys) }),
        LocalLoader::try_blocking(fails),
    ];
    for loader in loaders.map(|loader| loader.name("broken")) {
        assert_fails_by_name(&loader, "unlucky");
        assert_works(&loader);
    }
}

#[test]
fn panic_in_the_function() {
    fn panics(keys: Vec<u32>) -> Vec<u32> {
        assert!(!keys.contains(&BAD), "unlucky");
        keys
    }

    for loader in of_each_kind!(panics) {
        let error = AsyncTask::new(loader.load(BAD)).outcome().unwrap_err();
        assert_eq!(error.message(), "unlucky");
        assert_works(&loader);
    }
}

#[test]
fn too_few_values() {
    fn forgets(keys: Vec<u32>) -> Vec<u32> {
        keys.into_iter().filter(|&key| key != BAD).collect()
    }

    for loader in of_each_kind!(forgets) {
        assert_fails_by_name(&loader, "was given 2 keys and returned 1 values");
        assert_works(&loader);
    }
}

#[test]
fn too_many_values() {
    fn invents(mut keys: Vec<u32>) -> Vec<u32> {
        let last = keys.last().copied();
        keys.extend(last.filter(|&key| key == BAD));
        keys
    }

    for loader in of_each_kind!(invents) {
        assert_fails_by_name(&loader, "was given 2 keys and returned 3 values");
        assert_works(&loader);
    }
}

#[test]
fn value_of_a_key_that_nobody_asked_for() {
    fn mistakes(keys: Vec<u32>) -> HashMap<u32, u32> {
        keys.into_iter().map(|key| if key == BAD { (key + 1, key) } else { (key, key) }).collect()
    }

    for loader in of_each_kind!(mistakes) {
        assert_fails_by_name(&loader, "nothing came back");
        assert_works(&loader);
    }
}

const PATIENCE: Duration = Duration::from_millis(1);

/// Its batch with the bad key stays in flight.
fn never_returns() -> LocalLoader<u32, u32> {
    LocalLoader::new(|keys: Vec<u32>| async {
        if keys.contains(&BAD) {
            pending::<()>().await;
        }
        keys
    })
    .name("broken")
}

/// The same on another thread, until the sender is dropped.
fn blocks_for_ever() -> (mpsc::Sender<()>, LocalLoader<u32, u32>) {
    let (held, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let loader = LocalLoader::blocking(move |keys: Vec<u32>| {
        if keys.contains(&BAD) {
            let _ = receiver.lock().unwrap().recv();
        }
        keys
    });
    (held, loader.name("broken"))
}

#[test]
fn function_that_never_returns() {
    let loader = never_returns().timeout(PATIENCE);
    assert_fails_by_name(&loader, "no answer within 1ms");
    assert_works(&loader);
}

#[test]
fn function_that_blocks_for_ever() {
    let (held, loader) = blocks_for_ever();
    let loader = loader.timeout(Duration::from_millis(50));
    assert_fails_by_name(&loader, "no answer within 50ms");
    drop(held);
    assert_works(&loader.timeout(Duration::MAX));
}

/// A call that ends while the load of the bad key is in flight: cancelled by another task of it.
fn cancel_in_flight(loader: &LocalLoader<u32, u32>) {
    let waits = AsyncTask::new(loader.load(BAD));
    let cancels = {
        let waits = waits.clone();
        AsyncTask::new(async move {
            later(1).await;
            waits.cancel();
        })
    };
    assert!(AsyncTask::new(all((waits, cancels))).outcome().is_err());
}

#[test]
fn caller_cancelled_in_flight() {
    let loader = never_returns();
    cancel_in_flight(&loader);
    assert_works(&loader);
}

#[test]
fn caller_cancelled_while_the_function_blocks() {
    let (held, loader) = blocks_for_ever();
    cancel_in_flight(&loader);
    assert_works(&loader);
    drop(held);
}

#[test]
fn caller_that_panics_while_a_batch_is_in_flight() {
    let loader = never_returns();
    let load = loader.load(BAD);
    let panics = async {
        later(1).await;
        panic!("interrupted");
    };
    let call = AsyncTask::new(futures::future::join(load, panics));
    assert_eq!(call.outcome().unwrap_err().message(), "interrupted");
    assert_works(&loader);
}
