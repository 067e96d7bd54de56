//! Limits of the batches of loaders in flight.

use std::cell::RefCell;
use std::rc::Rc;

use asynq::loader::set_max_in_flight;
use asynq::{AsyncTask, BatchError, FutureBase, LocalLoader, all};
use expect_test::expect;
use futures::future::{Either, select};

use crate::common::{Log, later};
use crate::loader_flight::{by_hand, next, slow, slow_once};

#[test]
fn no_more_batches_of_a_loader_are_in_flight_than_may_be() {
    let log = Log::new();
    let slow = slow(&log, "slow").max_batch_size(1).max_in_flight(2);
    slow.load_many([1, 2, 3]).value().unwrap();
    expect![[r#"
        slow begins [1]
        slow begins [2]
        slow ends [1]
        slow begins [3]
        slow ends [2]
        slow ends [3]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn batches_that_wait_for_a_permit_are_sent_in_their_order() {
    let log = Log::new();
    let slow = slow(&log, "slow").max_batch_size(1).max_in_flight(1);
    slow.load_many([1, 2, 3]).value().unwrap();
    expect![[r#"
        slow begins [1]
        slow ends [1]
        slow begins [2]
        slow ends [2]
        slow begins [3]
        slow ends [3]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn no_more_batches_of_all_loaders_are_in_flight_than_may_be() {
    let log = Log::new();
    let (one, two) = (slow(&log, "one"), slow(&log, "two"));
    set_max_in_flight(1);
    drop(all((one.load(1), two.load(2))).value());
    set_max_in_flight(None);
    expect![[r#"
        one begins [1]
        one ends [1]
        two begins [2]
        two ends [2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_plain_call_does_not_wait_for_what_a_call_around_it_has_in_flight() {
    let log = Log::new();
    let slow = slow(&log, "slow").max_in_flight(1);
    let calls = {
        let slow = slow.clone();
        AsyncTask::new(async move {
            later(1).await;
            slow.load(2).value().unwrap()
        })
    };
    assert_eq!(all((slow.load(1), calls)).value().1, 2);
}

#[test]
fn a_permit_beyond_the_limit_is_not_passed_on() {
    let log = Log::new();
    let (answers, loader) = by_hand(&log);
    let loader = loader.max_batch_size(1).max_in_flight(1);
    let calls = {
        let (log, loader) = (log.clone(), loader.clone());
        AsyncTask::new(async move {
            later(1).await;
            let answers_last = {
                let answers = Rc::clone(&answers);
                AsyncTask::new(async move {
                    later(1).await;
                    answers.borrow_mut().pop_back().unwrap().set_value(());
                })
            };
            // This call holds no permit, so its batch does not wait for the first one.
            all((loader.load(3), answers_last)).value().0.unwrap();
            later(1).await;
            assert_eq!(log.take(), "load [1]\nload [3]\n");
            while let Some(answer) = next(&answers) {
                answer.set_value(());
                later(1).await;
            }
        })
    };
    all((loader.load_many([1, 2]), calls)).value().0.unwrap();
    assert_eq!(log.take(), "load [2]\n");
}

#[test]
fn a_call_does_not_wait_for_what_another_that_has_ended_has_left_in_flight() {
    let (answers, loader) = by_hand(&Log::new());
    let loader = loader.max_in_flight(1);
    let left = loader.load(1);
    let fails = {
        let left = loader.load(1);
        AsyncTask::new(futures::future::join(left, async {
            later(1).await;
            panic!("ended");
        }))
    };
    assert!(fails.outcome().is_err());
    let second = {
        let answers = Rc::clone(&answers);
        AsyncTask::new(async move {
            later(1).await;
            answers.borrow_mut().pop_back().unwrap().set_value(());
        })
    };
    assert_eq!(all((loader.load(2), second)).value().0.unwrap(), 2);
    drop(left);
}

#[test]
fn a_permit_passes_over_any_number_of_batches_that_were_given_up() {
    let (answers, loader) = by_hand(&Log::new());
    let loader = loader.max_batch_size(1).max_in_flight(1);
    let call = AsyncTask::new(async move {
        let many = loader.load_many(0..20_000);
        assert!(matches!(select(many, later(2)).await, Either::Right(_)));
        let last = loader.load(20_000); // Now the batch before it goes: nobody can ask for it.
        let answers = AsyncTask::new(async move {
            while let Some(answer) = next(&answers) {
                answer.set_value(());
                later(1).await;
            }
        });
        all((last, answers)).await.0.unwrap()
    });
    assert_eq!(call.value(), 20_000);
}

#[test]
fn functions_that_hold_the_thread_have_no_limit() {
    set_max_in_flight(1);
    let inner = LocalLoader::new(|keys: Vec<u32>| keys);
    let outer = LocalLoader::new(move |keys: Vec<u32>| {
        keys.into_iter().map(|key| inner.load(key).value().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(outer.load(1).value().unwrap(), 1);
    set_max_in_flight(None);
}

#[test]
fn a_batch_that_is_given_up_lets_the_next_one_go() {
    let loader = slow_once().max_in_flight(1);
    let load = loader.load(1);
    let waits = AsyncTask::new(async move { load.await.is_ok() });
    let cancels = {
        let waits = waits.clone();
        AsyncTask::new(async move {
            later(1).await;
            waits.cancel();
        })
    };
    assert!(AsyncTask::new(all((waits, cancels))).outcome().is_err());
    assert_eq!(loader.load(2).value().unwrap(), 2);
}

#[test]
fn a_call_that_held_a_permit_beyond_the_limit_gives_back_its_own() {
    let log = Log::new();
    let (answers, loader) = by_hand(&log);
    let loader = loader.max_in_flight(1);
    let calls = {
        let (log, loader) = (log.clone(), loader.clone());
        AsyncTask::new(async move {
            later(1).await;
            let answers_last = {
                let answers = Rc::clone(&answers);
                AsyncTask::new(async move {
                    later(1).await;
                    answers.borrow_mut().pop_back().unwrap().set_value(());
                })
            };
            all((loader.load(2), answers_last)).value().0.unwrap();
            log.add("called");
            let answers_first = AsyncTask::new(async move {
                later(2).await;
                log.add("answer");
                while let Some(answer) = next(&answers) {
                    answer.set_value(());
                    later(1).await;
                }
            });
            all((loader.load(3), answers_first)).await.0.unwrap();
        })
    };
    all((loader.load(1), calls)).value().0.unwrap();
    assert_eq!(log.take(), "load [1]\nload [2]\ncalled\nanswer\nload [3]\n");
}

#[test]
fn a_limit_of_no_batches_is_a_limit_of_one() {
    let log = Log::new();
    let slow = slow(&log, "slow").max_batch_size(0).max_in_flight(0);
    slow.load_many([1, 2]).value().unwrap();
    expect![[r#"
        slow begins [1]
        slow ends [1]
        slow begins [2]
        slow ends [2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_limit_of_no_batches_of_all_loaders_is_a_limit_of_one() {
    let log = Log::new();
    let (one, two) = (slow(&log, "one"), slow(&log, "two"));
    set_max_in_flight(0);
    drop(all((one.load(1), two.load(2))).value());
    set_max_in_flight(None);
    assert_eq!(log.take(), "one begins [1]\none ends [1]\ntwo begins [2]\ntwo ends [2]\n");
}

#[test]
fn a_function_that_holds_the_thread_does_not_wait_for_a_permit() {
    set_max_in_flight(1);
    let log = Log::new();
    let plain = {
        let log = log.clone();
        LocalLoader::new(move |keys: Vec<u32>| {
            log.add(format_args!("plain {keys:?}"));
            keys
        })
    };
    drop(all((slow(&log, "slow").load(1), plain.load(2))).value());
    set_max_in_flight(None);
    assert_eq!(log.take(), "slow begins [1]\nplain [2]\nslow ends [1]\n");
}

#[test]
fn a_round_that_waits_for_a_permit_collects_keys() {
    let log = Log::new();
    let slow = slow(&log, "slow").max_in_flight(1);
    let after = |rounds, key| {
        let slow = slow.clone();
        AsyncTask::new(async move {
            later(rounds).await;
            slow.load(key).await.unwrap()
        })
    };
    // While the first batch is in flight, the others are requested in rounds of their own.
    let first = LocalLoader::new({
        let slow = slow.clone();
        move |keys: Vec<u32>| slow.load_many(keys)
    });
    let values = all((first.load(1), after(1, 2), after(1, 3), after(2, 4))).value();
    assert_eq!((values.0.unwrap(), values.1, values.2, values.3), (1, 2, 3, 4));
    assert_eq!(slow.stats().keys, 4);
    assert!(slow.stats().batches <= 3, "{:?}", slow.stats());
}

#[test]
fn a_function_that_awaits_another_loader_lends_it_its_permit() {
    let log = Log::new();
    let inner = slow(&log, "inner");
    let outer = LocalLoader::try_new({
        let inner = inner.clone();
        move |keys: Vec<u32>| all(keys.into_iter().map(|key| inner.load(10 * key)))
    });
    set_max_in_flight(1);
    let values = all((outer.load(1), outer.load(2))).value();
    set_max_in_flight(None);
    assert_eq!((values.0.unwrap(), values.1.unwrap()), (10, 20));
    assert_eq!(log.take(), "inner begins [10, 20]\ninner ends [10, 20]\n");
}

#[test]
fn a_function_that_awaits_its_own_loader_lends_it_its_permit() {
    let own: Rc<RefCell<Option<LocalLoader<u32, u32>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let factorial = LocalLoader::new(move |keys: Vec<u32>| {
        let loader = inner.borrow().clone().expect("it is set");
        async move {
            let mut values = Vec::new();
            for key in keys {
                let before = if key == 0 { 1 } else { key * loader.load(key - 1).await.unwrap() };
                values.push(before.max(1));
            }
            values
        }
    })
    .max_in_flight(1);
    *own.borrow_mut() = Some(factorial.clone());
    assert_eq!(factorial.load(5).value().unwrap(), 120);
    own.take();
}

#[test]
fn a_function_lends_its_permit_while_others_are_in_flight() {
    let log = Log::new();
    let (answers, busy) = by_hand(&log);
    let inner = slow(&log, "inner").max_in_flight(1);
    let outer = LocalLoader::try_new({
        let inner = inner.clone();
        move |keys: Vec<u32>| {
            let inner = inner.clone();
            async move {
                inner
                    .load_many(keys)
                    .await
                    .map(|keys| keys.into_iter().map(Ok::<_, BatchError>).collect::<Vec<_>>())
            }
        }
    });
    set_max_in_flight(2);
    // One permit is held until the end.
    let answers_last = {
        let (outer, answers) = (outer.clone(), Rc::clone(&answers));
        AsyncTask::new(async move {
            let value = outer.load(7).await.unwrap();
            next(&answers).expect("it is in flight").set_value(());
            value
        })
    };
    let values = all((busy.load(1), answers_last)).value();
    set_max_in_flight(None);
    assert_eq!((values.0.unwrap(), values.1), (1, 7));
}
