//! Synchronous calls: a call drives what the called task needs and nothing else, at any depth.

use crate::sim::{Flush, On, Op, Program, all, fail, one};
use expect_test::expect;

#[test]
fn a_call_does_not_drive_unrelated_tasks() {
    let mut p = Program::new();
    let db = p.source("db");
    let called = p.task("called", [one(db.item(1))]);
    let calling = p.task("calling", [Op::Call(called)]);
    let unrelated = p.task("unrelated", [one(db.item(2))]);
    let root = p.task("root", [all([calling, unrelated])]);
    expect![[r#"
        call root
        root starts
        root awaits [calling, unrelated]
        calling starts
        call called
          called starts
          called awaits [db#1(1)]
          flush db#1(1)
          called gets [1]
          called returns 1
        calling returns 1
        unrelated starts
        unrelated awaits [db#2(2)]
        flush db#2(2)
        unrelated gets [2]
        unrelated returns 2
        root gets [1, 2]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_drives_a_task_that_an_outer_call_has_scheduled() {
    let mut p = Program::new();
    let scheduled = p.task("scheduled", [Op::Add(1)]);
    let called = p.task("called", [one(scheduled)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let unrelated = p.task("unrelated", []);
    let root = p.task("root", [all([calling, unrelated, scheduled])]);
    expect![[r#"
        call root
        root starts
        root awaits [calling, unrelated, scheduled]
        calling starts
        call called
          called starts
          called awaits [scheduled]
          scheduled starts
          scheduled returns 1
          called gets [1]
          called returns 1
        calling returns 1
        unrelated starts
        unrelated returns 0
        root gets [1, 0, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_drives_a_task_that_an_outer_call_has_blocked() {
    let mut p = Program::new();
    let db = p.source("db");
    let leaf = p.task("leaf", [one(db.item(1)), one(db.item(2))]);
    let blocked = p.task("blocked", [one(leaf)]);
    let unrelated = p.source("unrelated");
    let bystander = p.task("bystander", [all([unrelated.item(3), unrelated.item(4)])]);
    let called = p.task("called", [one(blocked)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([blocked, bystander, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked, bystander, calling]
        blocked starts
        blocked awaits [leaf]
        leaf starts
        leaf awaits [db#1(1)]
        bystander starts
        bystander awaits [unrelated#1(3), unrelated#1(4)]
        calling starts
        call called
          called starts
          called awaits [blocked]
          flush db#1(1)
          leaf gets [1]
          leaf awaits [db#2(2)]
          flush db#2(2)
          leaf gets [2]
          leaf returns 3
          blocked gets [3]
          blocked returns 3
          called gets [3]
          called returns 3
        calling returns 3
        flush unrelated#1(3, 4)
        bystander gets [3, 4]
        bystander returns 7
        root gets [3, 7, 3]
        root returns 13
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_may_be_of_a_task_that_an_outer_call_has_blocked() {
    let mut p = Program::new();
    let db = p.source("db");
    let blocked = p.task("blocked", [one(db.item(1))]);
    let calling = p.task("calling", [Op::Call(blocked), Op::Add(10)]);
    let root = p.task("root", [all([blocked, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked, calling]
        blocked starts
        blocked awaits [db#1(1)]
        calling starts
        call blocked
          flush db#1(1)
          blocked gets [1]
          blocked returns 1
        calling returns 11
        root gets [1, 11]
        root returns 12
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_that_needs_a_task_running_in_an_outer_call_is_a_deadlock() {
    let mut p = Program::new();
    let running = p.declare("running");
    let called = p.task("called", [one(running)]);
    p.script(running, [Op::Call(called), Op::Catch, Op::Add(1)]);
    let root = p.task("root", [one(running)]);
    expect![[r#"
        call root
        root starts
        root awaits [running]
        running starts
        call called
          called starts
          called awaits [running]
          deadlock: called waits for [running]; fails: []
        running catches: deadlock
        running returns 1
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_of_the_running_task_itself_is_a_deadlock() {
    let mut p = Program::new();
    let running = p.declare("running");
    p.script(running, [Op::Call(running), Op::Catch, Op::Add(1)]);
    expect![[r#"
        call running
        running starts
        call running
          deadlock: ; fails: []
        running catches: deadlock
        running returns 1
    "#]]
    .assert_eq(&p.log(running));
}

#[test]
fn a_flush_takes_along_the_items_of_outer_calls() {
    let mut p = Program::new();
    let db = p.source("db");
    let waiting = p.task("waiting", [one(db.item(1)), Op::Add(10)]);
    let called = p.task("called", [one(db.item(2))]);
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
          called awaits [db#1(2)]
          flush db#1(1, 2)
          called gets [2]
          called returns 2
        calling returns 2
        waiting gets [1]
        waiting returns 11
        root gets [11, 2]
        root returns 13
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_leaves_the_batches_alone_that_it_does_not_need() {
    let mut p = Program::new();
    let large = p.source("large");
    let small = p.source("small");
    let waiting = p.task("waiting", [all([large.item(1), large.item(2)])]);
    let called = p.task("called", [one(small.item(3))]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [large#1(1), large#1(2)]
        calling starts
        call called
          called starts
          called awaits [small#1(3)]
          flush small#1(3)
          called gets [3]
          called returns 3
        calling returns 3
        flush large#1(1, 2)
        waiting gets [1, 2]
        waiting returns 3
        root gets [3, 3]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn calls_nest() {
    let mut p = Program::new();
    let db = p.source("db");
    let waiting = p.task("waiting", [one(db.item(1))]);
    let innermost = p.task("innermost", [one(db.item(2))]);
    let inner = p.task("inner", [Op::Call(innermost), one(db.item(3))]);
    let outer = p.task("outer", [Op::Call(inner)]);
    let root = p.task("root", [all([waiting, outer])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, outer]
        waiting starts
        waiting awaits [db#1(1)]
        outer starts
        call inner
          inner starts
          call innermost
            innermost starts
            innermost awaits [db#1(2)]
            flush db#1(1, 2)
            innermost gets [2]
            innermost returns 2
          inner awaits [db#2(3)]
          flush db#2(3)
          inner gets [3]
          inner returns 5
        outer returns 5
        waiting gets [1]
        waiting returns 1
        root gets [1, 5]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn siblings_that_each_call_do_not_nest() {
    const SIBLINGS: i64 = if cfg!(miri) { 20 } else { 10_000 };
    let mut p = Program::new();
    let db = p.source("db");
    let siblings: Vec<_> = (0..SIBLINGS)
        .map(|key| {
            let called = p.task("called", [one(db.item(key))]);
            p.task("calling", [Op::Call(called)])
        })
        .collect();
    let root = p.task("root", [all(siblings)]);
    let record = p.run(root);
    assert_eq!(record.calls, [Ok((SIBLINGS - 1) * SIBLINGS / 2)]);
    assert_eq!(record.max_depth, 2);
}

#[test]
fn an_error_goes_to_the_caller() {
    let mut p = Program::new();
    let called = p.task("called", [fail("boom")]);
    let careful = p.task("careful", [Op::Call(called), Op::Catch, Op::Add(1)]);
    let careless = p.task("careless", [Op::Call(called), Op::Add(1)]);
    let root = p.task("root", [all([careful, careless])]);
    expect![[r#"
        call root
        root starts
        root awaits [careful, careless]
        careful starts
        call called
          called starts
          called fails: boom
        careful catches: boom
        careful returns 1
        careless starts
        call called
        careless fails: boom
        root gets error: boom
        root fails: boom
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_has_ended_can_be_called() {
    let mut p = Program::new();
    let leaf = p.task("leaf", [Op::Add(1)]);
    let root = p.task("root", [one(leaf), Op::Call(leaf)]);
    expect![[r#"
        call root
        root starts
        root awaits [leaf]
        leaf starts
        leaf returns 1
        root gets [1]
        call leaf
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_flush_may_call() {
    let mut p = Program::new();
    let config = p.source("config");
    let db = p.source("db");
    let connect = p.task("connect", [one(config.item(9))]);
    p.flush(db, Flush::Calls(connect));
    let waiting = p.task("waiting", [one(config.item(1))]);
    p.priority(db, [1]);
    let on: [On; 3] = [waiting.into(), db.item(2), db.item(3)];
    let root = p.task("root", [all(on)]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, db#1(2), db#1(3)]
        waiting starts
        waiting awaits [config#1(1)]
        flush db#1(2, 3)
        call connect[db#1]
          connect[db#1] starts
          connect[db#1] awaits [config#1(9)]
          flush config#1(1, 9)
          connect[db#1] gets [9]
          connect[db#1] returns 9
        waiting gets [1]
        waiting returns 1
        root gets [1, 2, 3]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}
