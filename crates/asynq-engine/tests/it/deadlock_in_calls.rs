//! Deadlock in a nested call: what only the caller could complete fails the call, not the tasks.

use crate::sim::{Flush, Op, Program, all, one};
use expect_test::expect;

#[test]
fn a_task_in_a_call_that_waits_for_the_caller() {
    let mut p = Program::new();
    let calling = p.declare("calling");
    let called = p.task("called", [one(calling)]);
    p.script(calling, [Op::Call(called)]);
    let root = p.task("root", [one(calling)]);
    expect![[r#"
        call root
        root starts
        root awaits [calling]
        calling starts
        call called
          called starts
          called awaits [calling]
          deadlock: called waits for [calling]; fails: []
        calling fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_of_a_blocked_task_that_waits_for_the_caller() {
    let mut p = Program::new();
    let calling = p.declare("calling");
    let blocked = p.task("blocked", [one(calling)]);
    p.script(calling, [Op::Call(blocked), Op::Catch, Op::Add(1)]);
    let root = p.task("root", [all([blocked, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked, calling]
        blocked starts
        blocked awaits [calling]
        calling starts
        call blocked
          deadlock: blocked waits for [calling]; fails: []
        calling catches: deadlock
        calling returns 1
        blocked gets [1]
        blocked returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_flush_that_calls_what_needs_its_own_batch() {
    let mut p = Program::new();
    let db = p.source("db");
    let waiting = p.task("waiting", [one(db.item(1))]);
    let connect = p.task("connect", [one(waiting)]);
    p.flush(db, Flush::Calls(connect));
    let root = p.task("root", [one(waiting)]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting]
        waiting starts
        waiting awaits [db#1(1)]
        flush db#1(1)
        call connect[db#1]
          connect[db#1] starts
          connect[db#1] awaits [waiting]
          deadlock: connect[db#1] waits for [waiting], waiting waits for [db#1(1)]; fails: []
        waiting gets error: deadlock
        waiting fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_circle_inside_a_call_is_undone_there() {
    let mut p = Program::new();
    let db = p.source("db");
    let stuck = p.declare("stuck");
    p.script(stuck, [one(stuck)]);
    let called = p.task("called", [one(stuck), Op::Catch, one(db.item(1))]);
    let root = p.task("root", [Op::Call(called)]);
    expect![[r#"
        call root
        root starts
        call called
          called starts
          called awaits [stuck]
          stuck starts
          stuck awaits [stuck]
          deadlock: called waits for [stuck], stuck waits for [stuck]; fails: [stuck]
          stuck gets error: deadlock
          stuck fails: deadlock
          called gets error: deadlock
          called catches: deadlock
          called awaits [db#1(1)]
          flush db#1(1)
          called gets [1]
          called returns 1
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}
