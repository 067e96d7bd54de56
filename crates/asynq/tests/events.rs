//! What the scheduler tells those who listen, and what it prints.

mod common;

use asynq::debug::{self, Dump, Event};
use asynq::{AsyncTask, FutureBase, all, asynq, promise, with_context};
use common::{Log, assert_usable, store, traced, without_lines};
use expect_test::expect;

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
    expect![[r##"
        new: events::pauses #1, called at crates/asynq/tests/events.rs
        call 1: events::pauses #1
        start: events::pauses #1
        new: events::pause #2, called at crates/asynq/tests/events.rs
        new: events::pause #3, called at crates/asynq/tests/events.rs
        wait: events::pauses #1 for events::pause #2, events::pause #3
        start: events::pause #2
        wait: events::pause #2 for item 0 of sync("default") #1
        start: events::pause #3
        wait: events::pause #3 for item 1 of sync("default") #1
        flush: sync("default") #1, 2 items
        flushed: sync("default") #1
        wake: events::pause #2
        wake: events::pause #3
        go on: events::pause #2
        end: events::pause #2
        go on: events::pause #3
        end: events::pause #3
        wake: events::pauses #1
        go on: events::pauses #1
        end: events::pauses #1
        return to 0
    "##]]
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
fn contexts_are_told_as_they_pause_and_resume() {
    let log = Log::new();
    let _dumping = dump_into(&log, Dump { contexts: true, ..Dump::NOTHING });
    let context = traced(&Log::new(), "context");
    AsyncTask::new(with_context(context, async { debug::sync().await })).value();
    expect![[r#"
        pause: context #1
        resume: context #1
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
fn the_state_has_the_tasks_and_what_each_waits_for() {
    let source = store(&Log::new(), "store");
    let item = source.item(1);
    let waiting = AsyncTask::new(async move {
        item.await.unwrap();
    });
    let looking = AsyncTask::new(async { debug::format_state() });
    let (state, ()) = AsyncTask::new(async move {
        let (waiting, state) = all((waiting, looking)).await;
        (state, waiting)
    })
    .value();
    expect![[r#"
        asynq: 1 call, 3 tasks, 1 batch
          async block #1
            waits for async block #2
            waits for async block #3
          async block #2
            waits for item 0 of store #1
          async block #3, runs
          batch store: 1 item"#]]
    .assert_eq(&state);
}
