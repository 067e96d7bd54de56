//! Timers of loaders: of tokio, whose clock may be paused, of the user, and of a thread.

use std::future::{pending, poll_fn, ready};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use asynq::{FutureBase, Loader, LocalLoader};
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

/// A runtime whose clock goes on when nothing else can.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn without_timers() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

async fn never(_: Vec<u32>) -> Vec<u32> {
    pending().await
}

fn tens(keys: Vec<u32>) -> Vec<u32> {
    keys.into_iter().map(|key| key * 10).collect()
}

#[test]
fn a_timeout_follows_the_paused_clock_of_tokio() {
    let loader = Loader::new(never).timeout(HOUR).name("never");
    let error = paused().block_on(loader.load(1)).unwrap_err();
    assert_eq!(error.to_string(), "batch never: key 1: no answer within 3600s");
}

#[test]
fn a_timeout_on_one_thread_follows_the_paused_clock_of_tokio() {
    let loader = LocalLoader::new(never).timeout(HOUR).name("never");
    let error = paused().block_on(loader.load(1)).unwrap_err();
    assert_eq!(error.to_string(), "batch never: key 1: no answer within 3600s");
}

#[test]
fn each_key_has_its_own_timeout_on_the_paused_clock() {
    let loader = Loader::new(never).timeout(HOUR);
    let ended = paused().block_on(async {
        let start = tokio::time::Instant::now();
        let load_after = |wait, key| {
            let loader = &loader;
            async move {
                tokio::time::sleep(wait).await;
                loader.load(key).await.unwrap_err();
                start.elapsed()
            }
        };
        futures::join!(load_after(Duration::ZERO, 1), load_after(HOUR / 2, 2))
    });
    assert_eq!(ended, (HOUR, HOUR + HOUR / 2));
}

#[test]
fn a_batch_is_held_by_the_paused_clock_of_tokio() {
    let loader = Loader::new(tens).hold(HOUR);
    assert_eq!(paused().block_on(loader.load(1)).unwrap(), 10);
}

#[test]
fn a_batch_of_one_thread_is_held_by_the_paused_clock_of_tokio() {
    let loader = LocalLoader::new(tens).hold(HOUR);
    assert_eq!(paused().block_on(loader.load(1)).unwrap(), 10);
}

#[test]
fn a_batch_is_held_by_a_given_timer() {
    let loader = Loader::new(tens).hold(HOUR).timer(|_| ready(()));
    assert_eq!(block_on(loader.load(1)).unwrap(), 10);
}

#[test]
fn a_batch_of_one_thread_is_held_by_a_given_timer() {
    let loader = LocalLoader::new(tens).hold(HOUR).timer(|_| ready(()));
    assert_eq!(loader.load(1).value().unwrap(), 10);
}

#[test]
fn a_runtime_without_timers_needs_none() {
    let loader = Loader::new(never).timeout(SHORT);
    assert!(without_timers().block_on(loader.load(1)).is_err());
}

#[test]
fn a_call_that_blocks_the_paused_clock_has_its_timeout() {
    let loader = LocalLoader::new(never).timeout(SHORT);
    assert!(paused().block_on(async { loader.load(1).value().is_err() }));
}

/// Polls a load of key 1 once in a runtime, which sets a timer for the round. Returns the runtime.
fn stopped_in_a_round(loader: &Loader<u32, u32>) -> (Runtime, impl Sized + use<>) {
    let runtime = paused();
    let mut load = Box::pin(loader.load(1));
    runtime.block_on(async { assert!(futures::poll!(&mut load).is_pending()) });
    (runtime, load)
}

#[test]
fn a_round_is_sent_after_the_runtime_of_the_timer_of_an_earlier_one_was_shut_down() {
    let loader = Loader::new(tens).hold(HOUR);
    drop(stopped_in_a_round(&loader));
    assert_eq!(paused().block_on(loader.load(2)).unwrap(), 20);
}

#[test]
fn a_round_is_sent_although_the_runtime_of_its_timer_is_shut_down() {
    let loader = Loader::new(tens).hold(HOUR);
    let (first, _load) = stopped_in_a_round(&loader);
    let (is_polled, polled) = channel();
    let (answered, answer) = channel();
    let other = loader.clone();
    thread::spawn(move || {
        let mut load = Box::pin(other.load(2));
        let value = paused().block_on(poll_fn(|cx| {
            let polled = load.as_mut().poll(cx);
            is_polled.send(()).unwrap();
            polled
        }));
        answered.send(value.unwrap()).unwrap();
    });
    polled.recv().unwrap();
    drop(first);
    assert_eq!(answer.recv_timeout(Duration::from_secs(60)), Ok(20));
}
