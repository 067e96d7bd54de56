//! Deadlock: what can never run is reported, with what it waits for, and fails.

use crate::sim::{Driver, Flush, Join, On, Op, Program, all, fail, one};
use expect_test::expect;

#[test]
fn a_task_that_awaits_itself() {
    let mut p = Program::new();
    let root = p.declare("root");
    p.script(root, [one(root)]);
    expect![[r#"
        call root
        root starts
        root awaits [root]
        deadlock: root waits for [root]; fails: [root]
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_circle() {
    let mut p = Program::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| p.declare(name));
    p.script(a, [one(b)]);
    p.script(b, [one(c)]);
    p.script(c, [one(a)]);
    let root = p.task("root", [one(a)]);
    expect![[r#"
        call root
        root starts
        root awaits [a]
        a starts
        a awaits [b]
        b starts
        b awaits [c]
        c starts
        c awaits [a]
        deadlock: root waits for [a], a waits for [b], b waits for [c], c waits for [a]; fails: [c]
        c gets error: deadlock
        c fails: deadlock
        b gets error: deadlock
        b fails: deadlock
        a gets error: deadlock
        a fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_promise_that_nobody_sets() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let waiting = p.task("waiting", [one(promise)]);
    let root = p.task("root", [one(waiting)]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting]
        waiting starts
        waiting awaits [promise]
        deadlock: root waits for [waiting], waiting waits for [promise]; fails: [waiting]
        waiting gets error: deadlock
        waiting fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_first_of_nothing() {
    let mut p = Program::new();
    let waiting = p.task("waiting", [Op::Await(vec![], Join::Any)]);
    let root = p.task("root", [one(waiting)]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting]
        waiting starts
        waiting awaits any of []
        deadlock: root waits for [waiting], waiting waits for []; fails: [waiting]
        waiting gets error: deadlock
        waiting fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn several_tasks_that_wait_for_what_will_not_come() {
    let mut p = Program::new();
    let [first, second] = ["first", "second"].map(|name| p.promise(name));
    let a = p.task("a", [one(first)]);
    let b = p.task("b", [one(second)]);
    let root = p.task("root", [all([a, b])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a awaits [first]
        b starts
        b awaits [second]
        deadlock: root waits for [a, b], a waits for [first], b waits for [second]; fails: [a, b]
        a gets error: deadlock
        a fails: deadlock
        b gets error: deadlock
        b fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn two_circles_are_both_undone() {
    let mut p = Program::new();
    let [a, b] = ["a", "b"].map(|name| p.declare(name));
    p.script(a, [one(a)]);
    p.script(b, [one(b)]);
    let root = p.task("root", [all([a, b])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a awaits [a]
        b starts
        b awaits [b]
        deadlock: root waits for [a, b], a waits for [a], b waits for [b]; fails: [a, b]
        a gets error: deadlock
        a fails: deadlock
        b gets error: deadlock
        b fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_circle_beside_a_promise_is_undone_after_it() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let a = p.declare("a");
    p.script(a, [one(a)]);
    let b = p.task("b", [one(promise)]);
    let root = p.task("root", [all([a, b])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a awaits [a]
        b starts
        b awaits [promise]
        deadlock: root waits for [a, b], a waits for [a], b waits for [promise]; fails: [b]
        b gets error: deadlock
        b fails: deadlock
        deadlock: root waits for [a], a waits for [a]; fails: [a]
        a gets error: deadlock
        a fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_can_run_runs_first() {
    let mut p = Program::new();
    let db = p.source("db");
    let stuck = p.declare("stuck");
    p.script(stuck, [one(stuck)]);
    let fine = p.task("fine", [one(db.item(1)), one(db.item(2))]);
    let root = p.task("root", [all([stuck, fine])]);
    expect![[r#"
        call root
        root starts
        root awaits [stuck, fine]
        stuck starts
        stuck awaits [stuck]
        fine starts
        fine awaits [db#1(1)]
        flush db#1(1)
        fine gets [1]
        fine awaits [db#2(2)]
        flush db#2(2)
        fine gets [2]
        fine returns 3
        deadlock: root waits for [stuck], stuck waits for [stuck]; fails: [stuck]
        stuck gets error: deadlock
        stuck fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_victim_may_catch_the_error_and_go_on() {
    let mut p = Program::new();
    let db = p.source("db");
    let promise = p.promise("promise");
    let waiting = p.task("waiting", [one(promise), Op::Catch, one(db.item(1))]);
    let root = p.task("root", [one(waiting)]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting]
        waiting starts
        waiting awaits [promise]
        deadlock: root waits for [waiting], waiting waits for [promise]; fails: [waiting]
        waiting gets error: deadlock
        waiting catches: deadlock
        waiting awaits [db#1(1)]
        flush db#1(1)
        waiting gets [1]
        waiting returns 1
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_victim_may_run_into_the_next_deadlock() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let root = p.task("root", [one(promise), Op::Catch, one(promise)]);
    expect![[r#"
        call root
        root starts
        root awaits [promise]
        deadlock: root waits for [promise]; fails: [root]
        root gets error: deadlock
        root catches: deadlock
        root awaits [promise]
        deadlock: root waits for [promise]; fails: [root]
        root gets error: deadlock
        root fails: deadlock
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_flush_carried_by_a_task_that_waits_for_it() {
    let mut p = Program::new();
    let db = p.source("db");
    let waiting = p.task("waiting", [one(db.item(1))]);
    let load = p.task("load", [one(waiting)]);
    p.flush(db, Flush::Carried(load));
    let root = p.task("root", [one(waiting)]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting]
        waiting starts
        waiting awaits [db#1(1)]
        flush db#1(1)
        load[db#1] starts
        load[db#1] awaits [waiting]
        deadlock: root waits for [waiting], waiting waits for [db#1(1)], load[db#1] waits for [waiting]; fails: [load[db#1]]
        load[db#1] gets error: deadlock
        load[db#1] fails: deadlock
        db#1 lands
        waiting gets error: deadlock
        waiting fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]].assert_eq(&p.log(root));
}

#[test]
fn those_who_share_a_victim_all_get_its_error() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let shared = p.task("shared", [one(promise)]);
    let a = p.task("a", [one(shared), Op::Catch, Op::Add(1)]);
    let b = p.task("b", [one(shared)]);
    let root = p.task("root", [all([a, b])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a awaits [shared]
        shared starts
        shared awaits [promise]
        b starts
        b awaits [shared]
        deadlock: root waits for [a, b], a waits for [shared], shared waits for [promise], b waits for [shared]; fails: [shared]
        shared gets error: deadlock
        shared fails: deadlock
        a gets error: deadlock
        a catches: deadlock
        a returns 1
        b gets error: deadlock
        b fails: deadlock
        root gets error: deadlock
        root fails: deadlock
    "#]].assert_eq(&p.log(root));
}

#[test]
fn after_a_deadlock_the_engine_goes_on() {
    let mut p = Program::new();
    let stuck = p.declare("stuck");
    p.script(stuck, [one(stuck)]);
    let boom = p.task("boom", [fail("boom")]);
    let on: [On; 2] = [boom.into(), stuck.into()];
    let root = p.task("root", [all(on)]);
    let fine = p.task("fine", [Op::Add(1)]);
    let mut driver = Driver::new(p);
    driver.call(root);
    driver.call(fine);
    let record = driver.into_record();
    assert_eq!(record.tasks_left, 0);
    assert_eq!(record.calls, [Err("boom".into()), Ok(1)]);
}
