//! Batches of loaders in flight: overlaps, shared keys and deadlines.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use asynq::{AsyncTask, FutureBase, LocalLoader, Promise, all, promise, try_all};
use expect_test::expect;
use futures::FutureExt;

use crate::common::{Log, assert_usable, later};

/// A loader whose batches take a round, and which writes their begins and ends into a log.
pub(crate) fn slow(log: &Log, name: &'static str) -> LocalLoader<u32, u32> {
    let log = log.clone();
    LocalLoader::new(move |keys: Vec<u32>| {
        let log = log.clone();
        async move {
            log.add(format_args!("{name} begins {keys:?}"));
            later(1).await;
            log.add(format_args!("{name} ends {keys:?}"));
            keys
        }
    })
}

#[test]
fn async_batches_of_a_round_overlap() {
    let log = Log::new();
    let (one, two) = (slow(&log, "one"), slow(&log, "two"));
    drop(all((one.load(1), two.load(2))).value());
    expect![[r#"
        one begins [1]
        two begins [2]
        one ends [1]
        two ends [2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_batch_overlaps_with_tasks_that_can_go_on() {
    let log = Log::new();
    let slow = slow(&log, "slow");
    let other = {
        let log = log.clone();
        AsyncTask::new(async move {
            later(1).await;
            log.add("meanwhile");
        })
    };
    drop(all((slow.load(1), other)).value());
    expect![[r#"
        slow begins [1]
        meanwhile
        slow ends [1]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn parts_of_an_async_batch_overlap() {
    let log = Log::new();
    let slow = slow(&log, "slow").max_batch_size(1);
    slow.load_many([1, 2]).value().unwrap();
    expect![[r#"
        slow begins [1]
        slow begins [2]
        slow ends [1]
        slow ends [2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_key_that_is_in_flight_is_not_asked_for_again() {
    let log = Log::new();
    let (answers, slow) = by_hand(&log);
    let late = {
        let (slow, answers) = (slow.clone(), Rc::clone(&answers));
        AsyncTask::new(async move {
            later(1).await;
            let loads = try_all([slow.load(1), slow.load(2)]);
            let answers = AsyncTask::new(async move {
                later(1).await;
                while let Some(answer) = next(&answers) {
                    answer.set_value(());
                }
            });
            all((loads, answers)).await.0
        })
    };
    assert_eq!(all((slow.load(1), late)).value().1.unwrap(), [1, 2]);
    assert_eq!(log.take(), "load [1]\nload [2]\n");
}

pub(crate) type Answers = Rc<RefCell<VecDeque<Promise<()>>>>;

/// A loader whose batches come back when their promises are set, in order.
pub(crate) fn by_hand(log: &Log) -> (Answers, LocalLoader<u32, u32>) {
    let (answers, log) = (Answers::default(), log.clone());
    let loader = LocalLoader::new({
        let answers = Rc::clone(&answers);
        move |keys: Vec<u32>| {
            log.add(format_args!("load {keys:?}"));
            let (promise, answer) = promise();
            answers.borrow_mut().push_back(promise);
            async move {
                answer.await;
                keys
            }
        }
    });
    (answers, loader)
}

pub(crate) fn next(answers: &Answers) -> Option<Promise<()>> {
    answers.borrow_mut().pop_front()
}

#[test]
fn a_batch_that_panics_does_not_wait_for_the_others_of_its_round() {
    let log = Log::new();
    let (one, two) = {
        let log = log.clone();
        let loader = LocalLoader::new(move |keys: Vec<u32>| {
            let log = log.clone();
            async move {
                assert!(keys != [1], "not 1");
                later(1).await;
                log.add(format_args!("{keys:?} ends"));
                keys
            }
        })
        .max_batch_size(1);
        (loader.load(1), loader.load(2))
    };
    let fails = {
        let log = log.clone();
        AsyncTask::new(async move {
            assert!(AssertUnwindSafe(one).catch_unwind().await.is_err());
            log.add("[1] has failed");
        })
    };
    assert_eq!(all((fails, two)).value().1.unwrap(), 2);
    assert_eq!(log.take(), "[1] has failed\n[2] ends\n");
}

/// A loader whose first batch never comes back.
pub(crate) fn slow_once() -> LocalLoader<u32, u32> {
    let first = RefCell::new(true);
    LocalLoader::new(move |keys: Vec<u32>| {
        let first = first.replace(false);
        async move {
            if first {
                pending::<()>().await;
            }
            keys
        }
    })
}

#[test]
fn a_batch_that_takes_too_long_fails_by_name() {
    let never = LocalLoader::new(|_: Vec<u32>| pending::<Vec<u32>>())
        .name("never")
        .timeout(Duration::from_millis(1));
    let error = never.load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch never: key 7: no answer within 1ms");
    assert_usable();
}

#[test]
fn a_key_that_took_too_long_can_be_asked_for_again() {
    let slow_once = slow_once().timeout(Duration::from_millis(1));
    assert!(slow_once.load(1).value().is_err());
    assert_eq!(slow_once.load(1).value().unwrap(), 1);
}

#[test]
fn a_batch_in_time_is_not_waited_for_any_longer() {
    let quick = LocalLoader::new(|keys: Vec<u32>| async { keys }).timeout(Duration::MAX);
    assert_eq!(quick.load(1).value().unwrap(), 1);
}

#[test]
fn a_function_that_loads_its_own_key_gets_an_error() {
    let own: Rc<RefCell<Option<LocalLoader<u32, u32>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let circular = LocalLoader::try_new(move |keys: Vec<u32>| {
        let loader = inner.borrow().clone().expect("it is set");
        all(keys.into_iter().map(move |key| loader.load(key)))
    })
    .name("circular");
    *own.borrow_mut() = Some(circular.clone());
    let error = circular.load(1).value().unwrap_err();
    let expected = "batch circular: key 1: the batch function loads a key that it was called for, \
                    and would wait for itself";
    assert!(error.to_string().contains(expected), "{error}");
    own.take();
}

#[test]
fn a_task_of_a_function_that_loads_its_key_gets_an_error() {
    let own: Rc<RefCell<Option<LocalLoader<u32, bool>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let circular = LocalLoader::new(move |keys: Vec<u32>| {
        let loader = inner.borrow().clone().expect("it is set");
        async move {
            let fails = AsyncTask::new(async move {
                later(1).await;
                loader.load(keys[0]).await.is_err()
            });
            vec![fails.await]
        }
    });
    *own.borrow_mut() = Some(circular.clone());
    assert!(circular.load(1).value().unwrap());
    own.take();
}

#[test]
fn a_key_whose_loads_are_dropped_is_not_sent() {
    let log = Log::new();
    let slow = slow(&log, "slow");
    let (one, two) = (slow.load(1), slow.load(2));
    drop(one);
    assert_eq!(two.value().unwrap(), 2);
    assert_eq!(log.take(), "slow begins [2]\nslow ends [2]\n");
}

#[test]
fn a_part_whose_loads_are_dropped_is_cancelled() {
    let log = Log::new();
    let (answers, loader) = by_hand(&log);
    let loader = loader.max_batch_size(1);
    let waits = AsyncTask::new(loader.load(1));
    let cancels = {
        let (waits, answers) = (waits.clone(), Rc::clone(&answers));
        AsyncTask::new(async move {
            later(1).await;
            waits.cancel();
            let (first, second) = (next(&answers).unwrap(), next(&answers).unwrap());
            second.set_value(());
            drop(first);
        })
    };
    let waits = AsyncTask::new(async move { drop(AssertUnwindSafe(waits).catch_unwind().await) });
    assert_eq!(all((loader.load(2), waits, cancels)).value().0.unwrap(), 2);
    assert_usable();
}

#[cfg(feature = "blocking")]
mod blocking {
    use std::sync::{Arc, Barrier};
    use std::thread;

    use asynq::debug::format_asynq_stack;

    use super::*;

    #[test]
    fn functions_that_block_run_on_other_threads_side_by_side() {
        // Each waits for the other one.
        let barrier = Arc::new(Barrier::new(2));
        let loader = || {
            let barrier = Arc::clone(&barrier);
            LocalLoader::blocking(move |keys: Vec<u32>| {
                barrier.wait();
                keys.into_iter().map(|_| thread::current().id()).collect::<Vec<_>>()
            })
        };
        let threads = all((loader().load(1), loader().load(2))).value();
        assert_ne!(threads.0.unwrap(), threads.1.unwrap());
    }

    #[test]
    fn a_function_that_blocks_is_a_part_of_the_stack_of_its_round() {
        let depth = LocalLoader::blocking(|keys: Vec<u32>| {
            // A task on that thread has the same stack beneath its own call.
            let inner = AsyncTask::new(async { format_asynq_stack().unwrap().calls().len() });
            let own = format_asynq_stack().map_or(0, |stack| stack.calls().len());
            vec![(own, inner.value()); keys.len()]
        });
        // The call itself, and what it was called by.
        assert_eq!(depth.load(1).value().unwrap(), (1, 2));
        let task = AsyncTask::new(async move { depth.load(1).value().unwrap() });
        assert_eq!(task.value(), (2, 3));
    }

    #[test]
    fn a_function_that_a_worker_thread_calls_runs_on_that_thread() {
        let outer = LocalLoader::blocking(|keys: Vec<u32>| {
            let inner =
                LocalLoader::blocking(|keys: Vec<u32>| vec![thread::current().id(); keys.len()]);
            let inside = all((inner.load(1), inner.load(2))).value();
            assert_eq!(inside.0.unwrap(), inside.1.unwrap());
            let here = thread::current().id();
            vec![here == inner.load(3).value().unwrap(); keys.len()]
        });
        assert!(outer.load(1).value().unwrap());
    }

    #[test]
    fn a_loader_that_calls_itself_for_ever_panics() {
        fn next(keys: Vec<u32>) -> Vec<u32> {
            keys.into_iter()
                .map(|key| LOADER.with(|loader| loader.load(key + 1)).value().unwrap())
                .collect()
        }

        thread_local! {
            static LOADER: LocalLoader<u32, u32> = LocalLoader::blocking(next);
        }

        let error = AsyncTask::new(LOADER.with(|loader| loader.load(0))).outcome().unwrap_err();
        assert!(error.message().contains("a loader seems to call itself"), "{}", error.message());
        assert_usable();
    }

    #[test]
    fn a_panic_on_another_thread_reaches_those_who_wait() {
        let broken = LocalLoader::blocking(|_: Vec<u32>| -> Vec<u32> { panic!("broken") });
        let error = AsyncTask::new(broken.load(1)).outcome().unwrap_err();
        assert_eq!(error.message(), "broken");
        assert_usable();
    }
}
