//! Events of the scheduler: listeners, and printing.

use asynq::debug::{self, Dump, Event};
use asynq::{
    AsyncTask, FutureBase, NonAsyncContext, ScopedValue, all, asynq, promise, with_context,
};
use expect_test::expect;

use crate::common::{Later, Log, assert_usable, poll_once, source, store, traced, without_lines};

fn dump_into(log: &Log, switches: Dump) -> debug::Listening {
    let log = log.clone();
    debug::dump_to(switches, move |line| log.add(line))
}

#[asynq]
async fn pause() {
    debug::sync().await;
}

#[asynq]
async fn pauses() {
    all([pause::asynq(), pause::asynq()]).await;
}

#[test]
fn a_dump_has_every_step() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump::ALL);
    pauses();
    expect![[r#"
        new: it::events::pauses #1, called at crates/asynq/tests/it/events.rs
        call 1: it::events::pauses #1
        start: it::events::pauses #1
        new: it::events::pause #2, called at crates/asynq/tests/it/events.rs, by it::events::pauses
        new: it::events::pause #3, called at crates/asynq/tests/it/events.rs, by it::events::pauses
        wait: it::events::pauses #1 for it::events::pause #2, it::events::pause #3
        start: it::events::pause #2
        wait: it::events::pause #2 for item 0 of sync("default") #1
        start: it::events::pause #3
        wait: it::events::pause #3 for item 1 of sync("default") #1
        flush: sync("default") #1, 2 items
        asynq: 1 call, 3 tasks, 1 batch
          it::events::pauses #1, called at crates/asynq/tests/it/events.rs, waits for
            it::events::pause #2
            it::events::pause #3
          it::events::pause #2, called at crates/asynq/tests/it/events.rs, waits for
            item 0 of sync("default") #1
          it::events::pause #3, called at crates/asynq/tests/it/events.rs, waits for
            item 1 of sync("default") #1
          batch sync("default") #1: 2 items, is being flushed
        flushed: sync("default") #1
        wake: it::events::pause #2
        wake: it::events::pause #3
        go on: it::events::pause #2
        end: it::events::pause #2
        go on: it::events::pause #3
        end: it::events::pause #3
        wake: it::events::pauses #1
        go on: it::events::pauses #1
        end: it::events::pauses #1
        return to 0
    "#]]
    .assert_eq(&without_lines(&log.take()));
}

#[test]
fn a_dump_has_only_what_was_chosen() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { flushes: true, ..Dump::NOTHING });
    pauses();
    expect![[r#"
        flush: sync("default") #1, 2 items
        flushed: sync("default") #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_dump_ends_with_its_guard() {
    let log = Log::new();
    let dumping = dump_into(&log, Dump::ALL);
    drop(dumping);
    pauses();
    assert_eq!(log.take(), "");
}

#[test]
fn two_may_listen() {
    let log = Log::new();
    let switches = Dump { calls: true, ..Dump::NOTHING };
    let _one = dump_into(&log, switches);
    let two = dump_into(&log, switches);
    AsyncTask::new(async {}).value();
    drop(two);
    AsyncTask::new(async {}).value();
    expect![[r#"
        call 1: async block #1
        call 1: async block #1
        return to 0
        return to 0
        call 1: async block #1
        return to 0
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_steps_that_a_listener_causes_are_told_to_nobody() {
    let log = Log::new();
    let _causes = debug::listen(|_| AsyncTask::new(async {}).value());
    let _dumping = dump_into(&log, Dump { calls: true, ..Dump::NOTHING });
    AsyncTask::new(async {}).value();
    assert_eq!(log.take(), "call 1: async block #1\nreturn to 0\n");
}

#[test]
fn contexts_are_told_as_they_pause_and_resume() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { contexts: true, ..Dump::NOTHING });
    let context = traced(&Log::new(), "context");
    let task = AsyncTask::new(with_context(context, debug::sync()));
    all([task, AsyncTask::new(debug::sync())]).value();
    expect![[r#"
        enter: Traced #1
        pause: Traced #1
        resume: Traced #1
        leave: Traced #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_deadlock_is_told() {
    let log = Log::new();
    let (never, future) = promise::<()>();
    let _dumping = dump_into(&log, Dump { state: true, ..Dump::NOTHING });
    AsyncTask::new(future).outcome().unwrap_err();
    drop(never);
    assert_eq!(log.take(), "deadlock: async block #1\n");
}

#[test]
fn a_wait_in_another_executor_is_told_as_no_deadlock() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { state: true, ..Dump::NOTHING });
    let (promise, future) = promise::<u32>();
    let task = AsyncTask::new(future);
    let sends = async { promise.set_value(1) };
    assert_eq!(futures::executor::block_on(async { futures::join!(task, sends) }).0, 1);
    assert!(!log.take().contains("deadlock"));
}

#[test]
fn what_a_listener_does_itself_is_not_told() {
    let log = Log::new();
    let its = log.clone();
    let _listening = debug::listen(move |event| {
        if let Event::Called { .. } = event {
            its.add(event);
            pauses();
        }
    });
    AsyncTask::new(async {}).value();
    assert_eq!(log.take(), "call 1: async block #1\n");
}

#[test]
fn a_listener_that_panics_harms_nobody() {
    let _listening = debug::listen(|_| panic!("in a listener"));
    assert_usable();
}

#[test]
fn who_began_before_anybody_listened_has_a_name() {
    let log = Log::new();
    let item = store(&Log::new(), "store").item(1);
    let its = log.clone();
    let listening = AsyncTask::new(async move {
        let dumping = dump_into(&its, Dump { tasks: true, dependencies: true, ..Dump::NOTHING });
        item.await.unwrap();
        dumping
    })
    .value();
    drop(listening);
    expect![[r#"
        wait: async block #1 for item 0 of store #1
        wake: async block #1
        go on: async block #1
        end: async block #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_failure_is_told_with_its_message() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { tasks: true, ..Dump::NOTHING });
    AsyncTask::new(async { panic!("no luck") }).outcome().unwrap_err();
    expect![[r#"
        start: async block #1
        fail: async block #1, no luck
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_end_of_a_task_that_is_dropped_is_told_at_once() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { tasks: true, ..Dump::NOTHING });
    let its = log.clone();
    AsyncTask::new(async move {
        let mut waits = AsyncTask::new(debug::sync());
        assert!(poll_once(&mut waits).await.is_pending());
        debug::sync().await;
        its.add("drop");
        drop(waits);
        its.add("dropped");
    })
    .value();
    expect![[r#"
        start: async block #1
        start: async block #2
        go on: async block #1
        drop
        end: async block #2
        dropped
        end: async block #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_promise_that_is_set_as_soon_as_it_is_asked_for_has_a_name() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { new_tasks: true, tasks: true, ..Dump::NOTHING });
    let (promise, future) = promise();
    AsyncTask::new(async { futures::join!(future, async { promise.set_value(1) }) }).value();
    expect![[r#"
        new: async block #1, called at crates/asynq/tests/it/events.rs
        start: async block #1
        new: promise #2, made at crates/asynq/tests/it/events.rs
        end: promise #2
        go on: async block #1
        end: async block #1
    "#]]
    .assert_eq(&without_lines(&log.take()));
}

#[test]
fn a_batch_that_is_given_up_is_not_flushed() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { flushes: true, ..Dump::NOTHING });
    let source = store(&Log::new(), "store");
    let item = source.item(1);
    item.batch().cancel();
    item.value().unwrap_err();
    assert_eq!(log.take(), "");
}

#[test]
fn a_flush_out_of_turn_is_told_before_it_happens() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { flushes: true, ..Dump::NOTHING });
    let item = store(&log, "store").item(1);
    item.batch().flush();
    pauses();
    expect![[r#"
        flush: store #1, 1 item
        flush store [1]
        flushed: store #1
        flush: sync("default") #1, 2 items
        flushed: sync("default") #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_flush_in_flight_is_told() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { flushes: true, ..Dump::NOTHING });
    let source = source("remote", |items| -> Later {
        Box::pin(async move {
            debug::sync().await;
            items.set_values(|&key| Some(key));
        })
    });
    source.item(1).value().unwrap();
    expect![[r#"
        flush: remote #1, 1 item
        in flight: remote #1
        flush: sync("default") #2, 1 item
        flushed: sync("default") #2
        flushed: remote #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_context_is_told_before_it_is_switched() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { contexts: true, ..Dump::NOTHING });
    let task = AsyncTask::new(with_context(traced(&log, "context"), debug::sync()));
    all([task, AsyncTask::new(debug::sync())]).value();
    expect![[r#"
        enter: Traced #1
        resume context
        pause: Traced #1
        pause context
        resume: Traced #1
        resume context
        leave: Traced #1
        pause context
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn contexts_have_the_names_that_they_give_themselves() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { contexts: true, ..Dump::NOTHING });
    let level = ScopedValue::new(1);
    AsyncTask::new(with_context(level.override_with(2), async {
        let _lock = NonAsyncContext::enter("the row lock");
    }))
    .value();
    expect![[r#"
        enter: ScopedOverride<i32> #1
        enter: the row lock #2
        leave: the row lock #2
        leave: ScopedOverride<i32> #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_context_that_its_task_is_dropped_in_is_left() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { contexts: true, ..Dump::NOTHING });
    let context = traced(&Log::new(), "context");
    let (never, future) = promise::<()>();
    AsyncTask::new(async move {
        let mut waits = AsyncTask::new(with_context(context, future));
        assert!(poll_once(&mut waits).await.is_pending());
        debug::sync().await;
    })
    .value();
    drop(never);
    expect![[r#"
        enter: Traced #1
        pause: Traced #1
        leave: Traced #1
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn what_happens_while_a_listener_calls_is_not_lost() {
    let log = Log::new();
    let its = log.clone();
    let mut calls = 0;
    let _listening = debug::listen(move |event| {
        calls += 1;
        if calls <= 3 {
            pauses();
        }
        its.add(event);
    });
    AsyncTask::new(async {}).value();
    expect![[r#"
        new: async block #1, called at crates/asynq/tests/it/events.rs
        call 1: async block #1
        start: async block #1
        end: async block #1
        return to 0
    "#]]
    .assert_eq(&without_lines(&log.take()));
}
