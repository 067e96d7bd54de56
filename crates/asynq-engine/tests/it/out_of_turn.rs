//! Flushes out of turn: a task may have a batch flushed at once.

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Flush, Op, Program, all, one};
use asynq_engine::{Engine, PriorityRule, Step, Until};
use expect_test::expect;

#[test]
fn a_batch_is_flushed_while_tasks_can_run() {
    let mut p = Program::new();
    let db = p.source("db");
    let waiting = p.task("waiting", [one(db.item(1)), one(db.item(2))]);
    let flushing = p.task("flushing", [Op::Flush(db)]);
    let after = p.task("after", []);
    let root = p.task("root", [all([waiting, flushing, after])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, flushing, after]
        waiting starts
        waiting awaits [db#1(1)]
        flushing starts
        flush db#1(1)
        flushing returns 0
        waiting gets [1]
        waiting awaits [db#2(2)]
        after starts
        after returns 0
        flush db#2(2)
        waiting gets [2]
        waiting returns 3
        root gets [3, 0, 0]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_flush_in_flight_is_not_flushed_again() {
    let mut p = Program::new();
    let db = p.source("db");
    p.flush(db, Flush::Later(0));
    let waiting = p.task("waiting", [one(db.item(1))]);
    let flushing = p.task("flushing", [Op::Flush(db), Op::Flush(db)]);
    let root = p.task("root", [all([waiting, flushing])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, flushing]
        waiting starts
        waiting awaits [db#1(1)]
        flushing starts
        flush db#1(1)
        flushing returns 0
        wait
        db#1 lands
        waiting gets [1]
        waiting returns 1
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_may_flush_a_batch_of_an_outer_one() {
    let mut p = Program::new();
    let db = p.source("db");
    let waiting = p.task("waiting", [one(db.item(1))]);
    let called = p.task("called", [Op::Flush(db)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [db#1(1)]
        calling starts
        call called
          called starts
          flush db#1(1)
          called returns 0
        calling returns 0
        waiting gets [1]
        waiting returns 1
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_flush_of_an_outer_call_can_be_sent_inside_one_and_land_after_it() {
    let mut p = Program::new();
    let db = p.source("db");
    p.flush(db, Flush::Later(0));
    let waiting = p.task("waiting", [one(db.item(1))]);
    let called = p.task("called", [Op::Flush(db)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [db#1(1)]
        calling starts
        call called
          called starts
          flush db#1(1)
          called returns 0
        calling returns 0
        wait
        db#1 lands
        waiting gets [1]
        waiting returns 1
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_flush_task_of_a_flush_sent_inside_a_call_for_an_outer_one_runs_after_it() {
    let mut p = Program::new();
    let [shards, db] = ["shards", "db"].map(|name| p.source(name));
    let load = p.task("load", [one(shards.item(9))]);
    p.flush(db, Flush::Carried(load));
    let waiting = p.task("waiting", [one(db.item(1))]);
    let leaf = p.task("leaf", []);
    let called = p.task("called", [Op::Flush(db), one(leaf), one(shards.item(2))]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [db#1(1)]
        calling starts
        call called
          called starts
          flush db#1(1)
          called awaits [leaf]
          leaf starts
          leaf returns 0
          called gets [0]
          called awaits [shards#1(2)]
          flush shards#1(2)
          called gets [2]
          called returns 2
        calling returns 2
        load[db#1] starts
        load[db#1] awaits [shards#2(9)]
        flush shards#2(9)
        load[db#1] gets [9]
        load[db#1] returns 9
        db#1 lands
        waiting gets [1]
        waiting returns 1
        root gets [1, 2]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

/// A priority runs code of the user's, which may call synchronously and flush.
#[test]
fn a_flush_out_of_turn_leaves_the_priorities_that_an_inner_call_has_given() {
    let mut engine = Engine::<Plain>::new();
    let [shared, other] = [(); 2].map(|()| engine.add_batch((), PriorityRule::Ask));
    let [root, called] = [(); 2].map(|()| engine.add_task(()));
    let items = [shared, other].map(|batch| engine.add_item(batch).unwrap());
    engine.enter(root);
    assert_eq!(engine.next(), Step::Run(root));
    for item in items {
        engine.depend(item);
    }
    engine.block(Until::All);
    for _ in 0..2 {
        let Step::Priority(batch) = engine.next() else {
            panic!("both are asked for their priorities first")
        };
        engine.set_priority(batch, (0, 1));
    }

    engine.enter(called);
    assert_eq!(engine.next(), Step::Run(called));
    engine.depend(items[0]);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Priority(shared));
    engine.set_priority(shared, (0, 1));
    assert!(engine.begin_flush(other));
    engine.close(other);
    assert_eq!(engine.next(), Step::Flush(shared));
    engine.close(shared);
    assert_eq!(engine.next(), Step::Run(called));
    engine.complete(called);
    assert_eq!(engine.next(), Step::Done);
    engine.exit();

    assert_eq!(engine.next(), Step::Run(root));
}

#[test]
fn a_chosen_batch_that_is_opened_again_takes_items_and_is_flushed_by_a_call_inside() {
    let mut engine = Engine::<Plain>::new();
    let [root, called] = [(); 2].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    let first = engine.add_item(batch).expect("it is open");
    engine.enter(root);
    assert_eq!(engine.next(), Step::Run(root));
    engine.depend(first);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Flush(batch));

    assert!(engine.reopen(batch));
    let second = engine.add_item(batch).expect("it is open again");
    engine.enter(called);
    assert_eq!(engine.next(), Step::Run(called));
    engine.depend(second);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.close(batch);
    assert_eq!(engine.next(), Step::Run(called));
    engine.complete(called);
    assert_eq!(engine.next(), Step::Done);
    engine.exit();

    assert_eq!(engine.next(), Step::Run(root));
}

#[test]
fn only_a_batch_that_is_being_flushed_is_opened_again() {
    let mut engine = Engine::<Plain>::new();
    let batch = engine.add_batch((), PriorityRule::BySize);
    assert!(!engine.reopen(batch));
    engine.begin_flush(batch);
    engine.defer(batch, None);
    assert!(!engine.reopen(batch));
    engine.close(batch);
    assert!(!engine.reopen(batch));
}

#[test]
fn a_driver_whose_tasks_can_always_run_may_flush_the_first_batch() {
    let mut engine = Engine::<Plain>::new();
    let [root, waiting, busy] = [(); 3].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::Ask);
    let item = engine.add_item(batch).unwrap();
    begin_call(&mut engine, root);
    await_all(&mut engine, [waiting, busy]);
    assert_eq!(engine.next(), Step::Run(waiting));
    await_all(&mut engine, [item]);

    assert_eq!(engine.next_flush(), Some(Step::Priority(batch)));
    engine.set_priority(batch, (0, 1));
    assert_eq!(engine.next_flush(), Some(Step::Flush(batch)));
    engine.close(batch);
    assert_eq!(engine.next_flush(), None);
    assert_eq!(engine.next(), Step::Run(waiting), "it was woken");
}

#[test]
fn a_call_that_was_abandoned_flushes_nothing() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    let batch = engine.add_batch((), PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    begin_call(&mut engine, root);
    await_all(&mut engine, [item]);
    engine.abandon();
    assert_eq!(engine.next_flush(), None);
}
