//! Events: the engine reports every step while somebody listens.

use std::iter;

use crate::sim::{Driver, Flush, Op, Program, Sim, all, one};
use asynq_engine::{Engine, Event, Step, Until};
use expect_test::expect;

#[test]
fn the_life_of_a_task() {
    let mut p = Program::new();
    let leaf = p.task("leaf", []);
    let root = p.task("root", [one(leaf)]);
    expect![[r#"
        created root
        entered root, depth 1
        started root
        created leaf
        blocked root on [leaf]
        started leaf
        finished leaf
        woken root
        continued root
        finished root
        exited, depth 0
    "#]]
    .assert_eq(&p.events(root));
}

#[test]
fn the_life_of_a_batch() {
    let mut p = Program::new();
    let db = p.source("db");
    let root = p.task("root", [all([db.item(1), db.item(2)])]);
    expect![[r#"
        created root
        entered root, depth 1
        started root
        blocked root on [db#1[0], db#1[1]]
        flush of db#1 began with 2
        woken root
        flush of db#1 ended
        continued root
        finished root
        exited, depth 0
    "#]]
    .assert_eq(&p.events(root));
}

#[test]
fn a_flush_in_flight() {
    let mut p = Program::new();
    let db = p.source("db");
    p.flush(db, Flush::Later(0));
    let root = p.task("root", [one(db.item(1))]);
    expect![[r#"
        created root
        entered root, depth 1
        started root
        blocked root on [db#1[0]]
        flush of db#1 began with 1
        flush of db#1 deferred
        waited
        woken root
        flush of db#1 ended
        continued root
        finished root
        exited, depth 0
    "#]]
    .assert_eq(&p.events(root));
}

#[test]
fn a_nested_call() {
    let mut p = Program::new();
    let called = p.task("called", []);
    let root = p.task("root", [Op::Call(called)]);
    expect![[r#"
        created root
        entered root, depth 1
        started root
        created called
        entered called, depth 2
        started called
        finished called
        exited, depth 1
        finished root
        exited, depth 0
    "#]]
    .assert_eq(&p.events(root));
}

/// Only the switches that the engine asks for are recorded: a task knows its own.
#[test]
fn context_switches() {
    let mut p = Program::new();
    let db = p.source("db");
    p.limit_to_call(db);
    let context = p.context("context");
    let root = p.task("root", [Op::Enter(context), one(db.item(1)), Op::Leave(context)]);
    expect![[r#"
        created root
        entered root, depth 1
        started root
        blocked root on [db#1[0]]
        paused context
        flush of db#1 began with 1
        woken root
        flush of db#1 ended
        resumed context
        continued root
        finished root
        exited, depth 0
    "#]]
    .assert_eq(&p.events(root));
}

#[test]
fn a_promise_that_nobody_sets() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let root = p.task("root", [one(promise)]);
    expect![[r#"
        created root
        entered root, depth 1
        started root
        created promise
        blocked root on [promise]
        deadlocked [root]
        woken root
        continued root
        finished root
        exited, depth 0
    "#]]
    .assert_eq(&p.events(root));
}

/// The promise is completed after the task has asked for it and before it blocks.
#[test]
fn a_wait_that_is_over_when_it_begins() {
    let mut engine = Engine::<Sim>::new();
    let promise = engine.add_promise(0);
    let task = engine.add_task(1);
    engine.enter(task);
    assert_eq!(engine.next(), Step::Run(task));
    assert!(engine.depend(promise));
    engine.listen(true);
    engine.complete(promise);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(task));
    let on = vec![promise.into()];
    assert_eq!(
        iter::from_fn(|| engine.poll_event()).collect::<Vec<_>>(),
        [
            Event::Finished(promise),
            Event::Blocked { task, on },
            Event::Woken(task),
            Event::Continued(task),
        ]
    );
}

#[test]
fn without_a_listener_nothing_is_recorded() {
    let mut p = Program::new();
    let root = p.task("root", []);
    let mut driver = Driver::new(p);
    driver.call(root);
    driver.engine.listen(true);
    assert_eq!(driver.engine.poll_event(), None);
}

#[test]
fn what_was_not_read_is_gone_with_the_listener() {
    let mut p = Program::new();
    let root = p.task("root", []);
    let mut driver = Driver::new(p);
    driver.engine.listen(true);
    driver.call(root);
    assert!(driver.engine.poll_event().is_some());
    driver.engine.listen(false);
    assert_eq!(driver.engine.poll_event(), None);
}
