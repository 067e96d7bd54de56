//! Bounded waits of loads: `max_delay`, where tasks can always run, and `hold`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use asynq::{AsyncTask, FutureBase, LocalLoader, ScopedValue, all, with_context};
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;

use crate::common::{Log, later, yield_now};
use crate::loader_cache::tens;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

/// A task that can always run, until `done`.
fn busy(done: &Rc<Cell<bool>>) -> AsyncTask<()> {
    let done = Rc::clone(done);
    AsyncTask::new(async move {
        while !done.get() {
            yield_now().await;
        }
    })
}

/// Loads a key beside a task that can run until the load has its value.
pub(crate) fn load_beside_busy_task(loader: &LocalLoader<u32, u32>, key: u32) -> AsyncTask<u32> {
    let done = Rc::new(Cell::new(false));
    let load = {
        let (loader, done) = (loader.clone(), Rc::clone(&done));
        AsyncTask::new(async move {
            let value = loader.load(key).await.unwrap();
            done.set(true);
            value
        })
    };
    let both = all((load, busy(&done)));
    AsyncTask::new(async move { both.await.0 })
}

#[test]
fn a_batch_is_sent_after_the_delay_although_a_task_can_run() {
    let log = Log::new();
    let tens = tens(&log).max_delay(SHORT);
    assert_eq!(load_beside_busy_task(&tens, 1).value(), 10);
}

#[test]
fn an_async_batch_is_sent_after_the_delay_although_a_task_can_run() {
    let loader = LocalLoader::new(async |keys: Vec<u32>| {
        yield_now().await;
        keys
    });
    assert_eq!(load_beside_busy_task(&loader.max_delay(SHORT), 1).value(), 1);
}

#[test]
fn a_task_that_calls_others_without_end_does_not_hold_a_batch_back() {
    let log = Log::new();
    let tens = tens(&log).max_delay(SHORT);
    let done = Rc::new(Cell::new(false));
    let calls = {
        let done = Rc::clone(&done);
        AsyncTask::new(async move {
            while !done.get() {
                AsyncTask::new(async {}).await; // Nothing outside of the scheduler wakes it.
            }
        })
    };
    let load = AsyncTask::new(async move {
        let value = tens.load(1).await.unwrap();
        done.set(true);
        value
    });
    assert_eq!(all((load, calls)).value().0, 10);
}

#[test]
fn under_another_executor_a_batch_is_sent_after_the_delay() {
    let log = Log::new();
    let tens = tens(&log).max_delay(SHORT);
    let value = futures::executor::block_on(load_beside_busy_task(&tens, 1));
    assert_eq!(value, 10);
}

#[test]
fn under_another_executor_no_batch_waits_without_end() {
    let log = Log::new();
    let value = futures::executor::block_on(load_beside_busy_task(&tens(&log), 1));
    assert_eq!(value, 10);
}

#[test]
fn under_another_executor_a_long_queue_of_futures_is_one_batch() {
    let log = Log::new();
    let tens = tens(&log);
    let queue: FuturesUnordered<_> = (0..3000).map(|key| tens.load(key)).collect();
    let count = futures::executor::block_on(AsyncTask::new(queue.count()));
    assert_eq!((count, tens.stats().batches), (3000, 1));
}

#[test]
fn a_batch_that_fills_a_part_is_sent_although_a_task_can_run() {
    let log = Log::new();
    let tens = tens(&log).max_delay(LONG).max_batch_size(2);
    let other = {
        let tens = tens.clone();
        AsyncTask::new(async move { tens.load(2).await.unwrap() })
    };
    assert_eq!(all((load_beside_busy_task(&tens, 1), other)).value(), (10, 20));
    assert_eq!(log.take(), "load [1, 2]\n");
}

#[test]
fn a_batch_that_can_be_sent_does_not_wait_for_its_delay() {
    let log = Log::new();
    let tens = tens(&log).max_delay(LONG);
    assert_eq!(tens.load_many([1, 2]).value().unwrap(), [10, 20]);
    assert_eq!(log.take(), "load [1, 2]\n");
}

#[test]
fn a_call_inside_does_not_send_a_batch_of_the_call_around_it() {
    let log = Log::new();
    let tens = tens(&log).max_delay(Duration::from_millis(100));
    let load = {
        let tens = tens.clone();
        AsyncTask::new(async move { tens.load(1).await.unwrap() })
    };
    let calls = {
        let log = log.clone();
        AsyncTask::new(async move {
            yield_now().await;
            // Waits until the batch outside would be due, by a loader of its own.
            let inner = crate::loader_cache::tens(&log).max_delay(Duration::from_millis(200));
            load_beside_busy_task(&inner, 7).value();
            log.add("inner call returns");
        })
    };
    all((load, calls)).value();
    assert_eq!(log.take(), "load [7]\ninner call returns\nload [1]\n");
}

#[test]
fn a_batch_that_is_sent_after_the_delay_sees_no_context_of_a_task() {
    let user = ScopedValue::new("nobody");
    let seen = {
        let user = user.clone();
        LocalLoader::new(move |keys: Vec<u32>| vec![user.get(); keys.len()])
    };
    let seen = seen.max_delay(SHORT);
    let done = Rc::new(Cell::new(false));
    let load = {
        let done = Rc::clone(&done);
        AsyncTask::new(async move {
            let value = seen.load(1).await.unwrap();
            done.set(true);
            value
        })
    };
    let busy = AsyncTask::new(with_context(user.override_with("Ann"), busy(&done)));
    assert_eq!(all((load, busy)).value().0, "nobody");
}

#[test]
fn a_held_batch_is_shared_by_tasks_that_come_later() {
    let log = Log::new();
    let tens = tens(&log).hold(LONG).max_batch_size(3);
    let after = |rounds, key| {
        let tens = tens.clone();
        AsyncTask::new(async move {
            later(rounds).await;
            tens.load(key).await.unwrap()
        })
    };
    assert_eq!(all([after(0, 1), after(1, 2), after(2, 3)]).value(), [10, 20, 30]);
    assert_eq!(log.take(), "load [1, 2, 3]\n");
}

#[test]
fn a_held_async_batch_is_shared_by_tasks_that_come_later() {
    let log = Log::new();
    let slow = crate::loader_flight::slow(&log, "slow").hold(LONG).max_batch_size(2);
    let after = |rounds, key| {
        let slow = slow.clone();
        AsyncTask::new(async move {
            later(rounds).await;
            slow.load(key).await.unwrap()
        })
    };
    assert_eq!(all([after(0, 1), after(1, 2)]).value(), [1, 2]);
    assert_eq!(log.take(), "slow begins [1, 2]\nslow ends [1, 2]\n");
}

#[test]
fn a_held_batch_is_sent_for_those_who_still_wait() {
    let log = Log::new();
    let tens = tens(&log).hold(LONG).max_batch_size(2);
    let first = {
        let tens = tens.clone();
        AsyncTask::new(async move {
            let given_up = select(tens.load(1), later(2)).await;
            assert!(matches!(given_up, Either::Right(_)));
        })
    };
    let second = AsyncTask::new(async move {
        later(3).await;
        tens.load_many([2, 3]).await.unwrap()
    });
    assert_eq!(all((first, second)).value().1, [20, 30]);
    assert_eq!(log.take(), "load [2, 3]\n");
}

#[test]
fn the_batches_of_two_calls_are_held_one_after_the_other() {
    let log = Log::new();
    let tens = tens(&log).hold(SHORT);
    assert_eq!(tens.load(1).value().unwrap(), 10);
    assert_eq!(tens.load(2).value().unwrap(), 20);
    assert_eq!(log.take(), "load [1]\nload [2]\n");
}

#[test]
fn a_call_inside_a_task_sends_what_is_held() {
    let log = Log::new();
    let tens = tens(&log).hold(LONG).max_batch_size(2);
    let calls = {
        let tens = tens.clone();
        AsyncTask::new(async move {
            later(1).await;
            tens.load(2).value().unwrap()
        })
    };
    let load = AsyncTask::new(async move { tens.load(1).await.unwrap() });
    assert_eq!(all((load, calls)).value(), (10, 20));
    assert_eq!(log.take(), "load [1, 2]\n");
}
