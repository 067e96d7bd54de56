//! Async generators.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use asynq::generator::{AsyncGenerator, generator, list_of_generator, take_first};
use asynq::{AsyncTask, FutureBase, Source, all, debug, promise};
use expect_test::expect;
use futures::StreamExt;

use crate::common::{Log, Store, assert_usable, store, without_lines};

/// The values of some keys, each asked for when it is wanted.
fn values(
    source: &Source<Store>,
    keys: impl Iterator<Item = u32> + 'static,
) -> AsyncGenerator<u32> {
    let source = source.clone();
    generator(move |out| async move {
        for key in keys {
            out.send(source.item(key).await.unwrap()).await;
        }
    })
}

#[test]
fn a_generator_gives_its_values_in_order() {
    let source = store(&Log::new(), "store");
    assert_eq!(list_of_generator(values(&source, 1..4)).value(), [10, 20, 30]);
}

#[test]
fn generators_side_by_side_share_a_flush_for_each_step() {
    let log = Log::new();
    let source = store(&log, "store");
    let generators = [1, 11, 21].map(|first| values(&source, first..first + 3));
    all(generators.map(list_of_generator)).value();
    expect![[r#"
        flush store [1, 11, 21]
        flush store [2, 12, 22]
        flush store [3, 13, 23]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_body_does_not_run_before_a_value_is_wanted() {
    let log = Log::new();
    let source = store(&log, "store");
    let mut generator = values(&source, 1..4);
    assert_eq!(log.take(), "");
    generator.next().value();
    assert_eq!(log.take(), "flush store [1]\n");
}

#[test]
fn take_first_leaves_the_rest_to_be_taken() {
    let source = store(&Log::new(), "store");
    let mut generator = values(&source, 1..6);
    assert_eq!(take_first(&mut generator, 2).value(), [10, 20]);
    assert_eq!(take_first(&mut generator, 9).value(), [30, 40, 50]);
}

#[test]
fn take_first_of_none_runs_nothing() {
    let log = Log::new();
    let mut generator = values(&store(&log, "store"), 1..6);
    assert_eq!(take_first(&mut generator, 0).value(), [0; 0]);
    assert_eq!(log.take(), "");
}

#[test]
fn after_the_end_there_are_no_values() {
    let source = store(&Log::new(), "store");
    let mut generator = values(&source, 1..2);
    let given = [(); 4].map(|()| generator.next().value());
    assert_eq!(given, [Some(10), None, None, None]);
}

#[test]
fn a_body_may_await_after_its_last_value() {
    let log = Log::new();
    let source = store(&log, "store");
    let generator = generator(move |out| async move {
        out.send(0).await;
        source.item(7).await.unwrap();
    });
    assert_eq!(list_of_generator(generator).value(), [0]);
    assert_eq!(log.take(), "flush store [7]\n");
}

#[test]
fn a_panic_of_the_body_reaches_the_one_who_wants_a_value() {
    let mut generator = generator(|out| async move {
        out.send(1).await;
        panic!("no more");
    });
    assert_eq!(generator.next().value(), Some(1));
    assert_eq!(generator.next().outcome().unwrap_err().message(), "no more");
}

#[test]
fn a_generator_has_ended_after_a_panic() {
    let mut generator = generator::<u32, _>(|_| async move { panic!("at once") });
    generator.next().outcome().unwrap_err();
    assert_eq!(generator.next().value(), None);
}

#[test]
fn two_values_at_once_are_refused() {
    let (go_on, until) = promise();
    let mut generator = generator(|out| async move {
        until.await;
        out.send(1).await;
    });
    let (first, second) = (generator.next(), generator.next());
    let second = AsyncTask::new(async move {
        let error = second.outcome().unwrap_err();
        go_on.set_value(());
        error
    });
    let (first, error) = all((first, second)).value();
    assert_eq!(first, Some(1));
    let error = error.message();
    assert!(error.contains("await it before the next one"), "{error}");
}

#[test]
fn two_values_sent_at_once_are_refused() {
    let mut generator = generator(|out| async move {
        futures::join!(out.send(1), out.send(2));
    });
    assert_eq!(generator.next().value(), Some(1));
    let error = generator.next().outcome().unwrap_err();
    assert!(error.message().contains("await each `send` before the next one"), "{error}");
    assert_eq!(generator.next().value(), None);
}

#[test]
fn a_value_that_was_sent_before_its_task_was_dropped_is_the_next_one() {
    let unwanted = Rc::new(Cell::new(None));
    let mut generator = {
        let unwanted = Rc::clone(&unwanted);
        generator(|out| async move {
            futures::join!(out.send(1), async { drop(unwanted.take()) });
            out.send(2).await;
        })
    };
    let task = AsyncTask::new(async move {
        let mut next = generator.next();
        assert!(futures::poll!(&mut next).is_pending());
        unwanted.set(Some(next));
        debug::sync().await;
        list_of_generator(generator).await
    });
    assert_eq!(task.value(), [1, 2]);
}

#[test]
fn a_dropped_generator_drops_its_body_where_it_stands() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let local = Dropped(Rc::clone(&dropped));
    let mut generator = generator(|out| async move {
        let _local = local;
        out.send(1).await;
    });
    generator.next().value();
    assert!(!dropped.get());
    drop(generator);
    assert!(dropped.get());
}

#[test]
fn a_value_whose_task_was_dropped_is_the_next_one() {
    let source = store(&Log::new(), "store");
    let mut generator = values(&source, 1..3);
    let task = AsyncTask::new(async move {
        let mut unwanted = generator.next();
        assert!(futures::poll!(&mut unwanted).is_pending());
        debug::sync().await;
        drop(unwanted);
        list_of_generator(generator).await
    });
    assert_eq!(task.value(), [10, 20]);
}

#[test]
fn a_generator_gives_the_values_of_another() {
    let source = store(&Log::new(), "store");
    let inner = values(&source, 1..3);
    let outer = generator(|out| async move {
        out.send(0).await;
        out.send_all(inner).await;
        out.send(99).await;
    });
    assert_eq!(list_of_generator(outer).value(), [0, 10, 20, 99]);
}

#[test]
fn a_generator_is_a_stream() {
    let log = Log::new();
    let source = store(&log, "store");
    let sum = |keys: std::ops::Range<u32>| {
        let stream = values(&source, keys);
        AsyncTask::new(stream.map(|value| value + 1).fold(0, async |sum, value| sum + value))
    };
    assert_eq!(all((sum(1..3), sum(3..5))).value(), (32, 72));
    assert_eq!(log.take(), "flush store [1, 3]\nflush store [2, 4]\n");
}

#[test]
fn a_generator_can_be_consumed_by_synchronous_calls() {
    let source = store(&Log::new(), "store");
    let total = AsyncTask::new(async move {
        let mut generator = values(&source, 1..4);
        let mut total = 0;
        while let Some(value) = generator.next().value() {
            total += value;
        }
        total
    });
    assert_eq!(total.value(), 60);
}

#[test]
fn nothing_of_a_body_runs_before_a_value_is_wanted() {
    let log = Log::new();
    let its = log.clone();
    let mut generator = generator(move |out| {
        its.add("called");
        async move { out.send(1).await }
    });
    log.add("made");
    generator.next().value();
    assert_eq!(log.take(), "made\ncalled\n");
}

#[test]
fn branches_of_a_join_share_the_flushes_of_their_generators() {
    let log = Log::new();
    let source = store(&log, "store");
    AsyncTask::new(async move {
        let (mut one, mut two) = (values(&source, 1..3), values(&source, 11..13));
        for _ in 0..2 {
            futures::join!(one.next(), two.next());
        }
    })
    .value();
    assert_eq!(log.take(), "flush store [1, 11]\nflush store [2, 12]\n");
}

#[test]
fn a_body_that_can_never_go_on_is_a_deadlock() {
    let (never, future) = promise::<()>();
    let mut generator = generator::<u32, _>(|_| future);
    let error = generator.next().outcome().unwrap_err();
    drop(never);
    expect![[r#"
        deadlock: these tasks can never go on:
          asynq::generator::AsyncGenerator::next, called at crates/asynq/tests/it/generator.rs
            waits for value of the generator, made at crates/asynq/tests/it/generator.rs,
                      generator, made at crates/asynq/tests/it/generator.rs
          generator, made at crates/asynq/tests/it/generator.rs
            waits for promise, made at crates/asynq/tests/it/generator.rs
    "#]]
    .assert_eq(&without_lines(error.message()));
    assert_usable();
}

#[test]
fn a_body_may_call_synchronously() {
    let log = Log::new();
    let source = store(&log, "store");
    let calls = generator(move |out| async move {
        for key in 1..3 {
            out.send(source.item(key).value().unwrap()).await;
        }
    });
    assert_eq!(list_of_generator(calls).value(), [10, 20]);
    assert_eq!(log.take(), "flush store [1]\nflush store [2]\n");
}

/// A tree whose node `n` has the children `2n` and `2n + 1`, in the order of the nodes' values.
fn in_order(source: &Source<Store>, node: u32) -> AsyncGenerator<u32> {
    let source = source.clone();
    generator(move |out| async move {
        if node >= 8 {
            return;
        }
        out.send_all(in_order(&source, 2 * node)).await;
        out.send(source.item(node).await.unwrap()).await;
        out.send_all(in_order(&source, 2 * node + 1)).await;
    })
}

#[test]
fn a_generator_may_be_recursive() {
    let source = store(&Log::new(), "store");
    let values = list_of_generator(in_order(&source, 1)).value();
    assert_eq!(values, [40, 20, 50, 10, 60, 30, 70]);
}

#[test]
fn generators_in_generators_may_be_deep() {
    let mut chain = generator(|out| async move {
        for n in 0.. {
            out.send(n).await;
        }
    });
    for _ in 0..10_000 {
        let inner = chain;
        chain = generator(move |out| async move { out.send_all(inner).await });
    }
    assert_eq!(take_first(&mut chain, 2).value(), [0, 1]);
    drop(chain);
    assert_usable();
}

#[test]
fn a_stream_that_waits_for_a_value_refuses_another_one() {
    let mut generator = values(&store(&Log::new(), "store"), 1..3);
    let error = AsyncTask::new(async move {
        let mut polled = StreamExt::next(&mut generator);
        assert!(futures::poll!(&mut polled).is_pending());
        generator.next().await
    })
    .outcome()
    .unwrap_err();
    assert!(error.message().contains("await it before the next one"), "{error}");
}

#[test]
fn a_generator_may_be_left_to_the_end_of_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<AsyncGenerator<u32>>> = const { RefCell::new(None) };
    }
    std::thread::spawn(|| {
        let mut generator = values(&store(&Log::new(), "store"), 1..3);
        generator.next().value();
        KEPT.set(Some(generator));
    })
    .join()
    .unwrap();
}

#[test]
fn a_value_sent_in_the_step_of_a_panic_comes_before_the_panic() {
    let mut numbers = generator(|out| async move {
        out.send(1).await;
        futures::join!(out.send(2), async { panic!("no more rows") });
    });
    assert_eq!(take_first(&mut numbers, 2).value(), [1, 2]);
    assert_eq!(numbers.next().outcome().unwrap_err().message(), "no more rows");
    assert_eq!(numbers.next().value(), None, "it has ended");
}

#[test]
fn a_stream_gives_the_value_and_then_the_panic_of_one_step() {
    let mut numbers = generator(|out| async move {
        futures::join!(out.send(1), async { panic!("no more rows") });
    });
    let task = AsyncTask::new(async move {
        assert_eq!(StreamExt::next(&mut numbers).await, Some(1));
        StreamExt::next(&mut numbers).await
    });
    assert_eq!(task.outcome().unwrap_err().message(), "no more rows");
}

#[test]
fn a_list_fails_if_the_last_value_came_with_a_panic() {
    let numbers = generator(|out| async move {
        futures::join!(out.send(1), async { panic!("no more rows") });
    });
    let error = list_of_generator(numbers).outcome().unwrap_err();
    assert_eq!(error.message(), "no more rows");
}
