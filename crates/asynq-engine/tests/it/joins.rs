//! Joins: a task goes on when all that it awaits is computed, or the first of it.

use crate::sim::{Driver, Join, On, Op, Program, all, any, fail, one};
use expect_test::expect;

#[test]
fn a_join_takes_tasks_items_and_promises() {
    let mut p = Program::new();
    let db = p.source("db");
    let promise = p.promise("promise");
    let setting = p.task("setting", [Op::Set(promise, Ok(10)), Op::Add(1)]);
    let on: [On; 3] = [setting.into(), db.item(100), promise.into()];
    let root = p.task("root", [all(on)]);
    expect![[r#"
        call root
        root starts
        root awaits [setting, db#1(100), promise]
        setting starts
        promise is set to 10
        setting returns 1
        flush db#1(100)
        root gets [1, 100, 10]
        root returns 111
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_join_of_nothing_does_not_wait() {
    let mut p = Program::new();
    let root = p.task("root", [Op::Await(vec![], Join::All), Op::Add(1)]);
    expect![[r#"
        call root
        root starts
        root has []
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_is_there_already_is_not_waited_for() {
    let mut p = Program::new();
    let db = p.source("db");
    let leaf = p.task("leaf", [Op::Add(1)]);
    let on: [On; 2] = [leaf.into(), db.item(2)];
    let root = p.task("root", [one(leaf), one(leaf), all(on)]);
    expect![[r#"
        call root
        root starts
        root awaits [leaf]
        leaf starts
        leaf returns 1
        root gets [1]
        root has [1]
        root awaits [-, db#1(2)]
        flush db#1(2)
        root gets [1, 2]
        root returns 5
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn one_thing_may_be_awaited_twice_in_a_join() {
    let mut p = Program::new();
    let leaf = p.task("leaf", [Op::Add(1)]);
    let root = p.task("root", [all([leaf, leaf])]);
    expect![[r#"
        call root
        root starts
        root awaits [leaf, leaf]
        leaf starts
        leaf returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_shared_task_runs_once() {
    let mut p = Program::new();
    let db = p.source("db");
    let shared = p.task("shared", [one(db.item(1))]);
    let a = p.task("a", [one(shared), Op::Add(10)]);
    let b = p.task("b", [one(shared), Op::Add(20)]);
    let root = p.task("root", [all([a, b, shared])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b, shared]
        a starts
        a awaits [shared]
        shared starts
        shared awaits [db#1(1)]
        b starts
        b awaits [shared]
        flush db#1(1)
        shared gets [1]
        shared returns 1
        a gets [1]
        a returns 11
        b gets [1]
        b returns 21
        root gets [11, 21, 1]
        root returns 33
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_first_error_in_the_order_given_is_raised() {
    let mut p = Program::new();
    let db = p.source("db");
    let late = p.task("late", [one(db.item(1)), fail("first in order")]);
    let early = p.task("early", [fail("first in time")]);
    let root = p.task("root", [all([late, early])]);
    expect![[r#"
        call root
        root starts
        root awaits [late, early]
        late starts
        late awaits [db#1(1)]
        early starts
        early fails: first in time
        flush db#1(1)
        late gets [1]
        late fails: first in order
        root gets error: first in order
        root fails: first in order
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn beside_a_failed_task_the_others_run_to_their_end() {
    let mut p = Program::new();
    let db = p.source("db");
    let failing = p.task("failing", [fail("boom")]);
    let other = p.task("other", [one(db.item(1)), one(db.item(2))]);
    let root = p.task("root", [all([failing, other])]);
    expect![[r#"
        call root
        root starts
        root awaits [failing, other]
        failing starts
        failing fails: boom
        other starts
        other awaits [db#1(1)]
        flush db#1(1)
        other gets [1]
        other awaits [db#2(2)]
        flush db#2(2)
        other gets [2]
        other returns 3
        root gets error: boom
        root fails: boom
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_first_of_several_is_enough() {
    let mut p = Program::new();
    let db = p.source("db");
    let slow = p.task("slow", [one(db.item(1))]);
    let fast = p.task("fast", [Op::Add(2)]);
    let root = p.task("root", [any([slow, fast])]);
    expect![[r#"
        call root
        root starts
        root awaits any of [slow, fast]
        slow starts
        slow awaits [db#1(1)]
        fast starts
        fast returns 2
        root gets [-, 2]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_lost_goes_on_while_the_call_lasts() {
    let mut p = Program::new();
    let db = p.source("db");
    let slow = p.task("slow", [one(db.item(1))]);
    let fast = p.task("fast", [Op::Add(2)]);
    let root = p.task("root", [any([slow, fast]), one(db.item(3))]);
    expect![[r#"
        call root
        root starts
        root awaits any of [slow, fast]
        slow starts
        slow awaits [db#1(1)]
        fast starts
        fast returns 2
        root gets [-, 2]
        root awaits [db#1(3)]
        flush db#1(1, 3)
        slow gets [1]
        slow returns 1
        root gets [3]
        root returns 5
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_lost_can_be_awaited_again() {
    let mut p = Program::new();
    let db = p.source("db");
    let slow = p.task("slow", [one(db.item(1))]);
    let fast = p.task("fast", [Op::Add(2)]);
    let root = p.task("root", [any([slow, fast]), one(slow)]);
    expect![[r#"
        call root
        root starts
        root awaits any of [slow, fast]
        slow starts
        slow awaits [db#1(1)]
        fast starts
        fast returns 2
        root gets [-, 2]
        root awaits [slow]
        flush db#1(1)
        slow gets [1]
        slow returns 1
        root gets [1]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_first_of_several_may_be_there_already() {
    let mut p = Program::new();
    let leaf = p.task("leaf", [Op::Add(1)]);
    let unneeded = p.task("unneeded", []);
    let root = p.task("root", [one(leaf), any([unneeded, leaf])]);
    expect![[r#"
        call root
        root starts
        root awaits [leaf]
        leaf starts
        leaf returns 1
        root gets [1]
        root has [-, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_wait_that_is_over_does_not_wake_again() {
    let mut p = Program::new();
    let [a, b] = ["a", "b"].map(|name| p.source(name));
    p.priority(b, [-1]);
    // The flush of `b` completes the lost half of the first wait during the second.
    let later = p.source("later");
    p.priority(later, [-2]);
    let root = p.task("root", [any([a.item(1), b.item(2)]), all([b.item(3), later.item(4)])]);
    expect![[r#"
        call root
        root starts
        root awaits any of [a#1(1), b#1(2)]
        flush a#1(1)
        root gets [1, -]
        root awaits [b#1(3), later#1(4)]
        flush b#1(2, 3)
        flush later#1(4)
        root gets [3, 4]
        root returns 8
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_lost_to_an_error_is_not_waited_for() {
    let mut p = Program::new();
    let db = p.source("db");
    let failing = p.task("failing", [fail("boom")]);
    let slow = p.task("slow", [one(db.item(1))]);
    let root = p.task("root", [any([slow, failing])]);
    let mut driver = Driver::new(p);
    driver.call(root);
    let record = driver.into_record();
    assert_eq!((record.tasks_left, record.batches_left), (1, 1));
    expect![[r#"
        call root
        root starts
        root awaits any of [slow, failing]
        slow starts
        slow awaits [db#1(1)]
        failing starts
        failing fails: boom
        root gets error: boom
        root fails: boom
    "#]]
    .assert_eq(&record.log());
}
