//! Async generators and contexts: their own, and those of who wants a value.

use asynq::generator::generator;
use asynq::{AsyncTask, FutureBase, ScopedValue, debug, with_context};
use expect_test::expect;

use crate::common::{Log, assert_usable, traced};

#[test]
fn a_context_of_the_body_is_active_only_while_the_body_runs() {
    let log = Log::new();
    let context = traced(&log, "inner");
    let its = log.clone();
    let mut generator = generator(move |out| {
        with_context(context, async move {
            its.add("body");
            out.send(1).await;
            its.add("body again");
        })
    });
    AsyncTask::new({
        let log = log.clone();
        async move {
            generator.next().await;
            log.add("between");
            generator.next().await;
            log.add("after");
        }
    })
    .value();
    expect![[r#"
        resume inner
        body
        pause inner
        between
        resume inner
        body again
        pause inner
        after
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_dropped_generator_leaves_the_contexts_of_its_body() {
    let log = Log::new();
    let context = traced(&log, "inner");
    let mut generator = generator(move |out| {
        with_context(context, async move {
            out.send(1).await;
        })
    });
    let its = log.clone();
    AsyncTask::new(async move {
        generator.next().await;
        its.add("drop");
        drop(generator);
        its.add("dropped");
    })
    .value();
    expect![[r#"
        resume inner
        pause inner
        drop
        dropped
    "#]]
    .assert_eq(&log.take());
    assert_usable();
}

#[test]
fn a_body_stays_under_the_contexts_in_which_it_was_first_asked_for() {
    let log = Log::new();
    let level = ScopedValue::new("none");
    let mut levels = {
        let level = level.clone();
        generator(move |out| async move {
            loop {
                out.send(level.get()).await;
            }
        })
    };
    let its = log.clone();
    let inner = level.override_with("inner");
    let consumer = AsyncTask::new(async move {
        its.add(levels.next().await.unwrap());
        its.add(with_context(inner, levels.next()).await.unwrap());
        levels
    });
    let consumer = with_context(level.override_with("outer"), consumer);
    let mut levels = AsyncTask::new(consumer).value();
    log.add(levels.next().value().unwrap());
    expect![[r#"
        outer
        outer
        none
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_panic_of_the_body_leaves_its_contexts() {
    let log = Log::new();
    let context = traced(&log, "inner");
    let mut generator = generator::<u32, _>(move |_| {
        with_context(context, async {
            debug::sync().await;
            panic!("no more");
        })
    });
    assert_eq!(generator.next().outcome().unwrap_err().message(), "no more");
    expect![[r#"
        resume inner
        pause inner
    "#]]
    .assert_eq(&log.take());
}
