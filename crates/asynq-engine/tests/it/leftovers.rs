//! Leftovers: what a call has begun and not ended goes on in the call around it, or rests.

use crate::sim::{Driver, Op, Program, all, any, one};
use expect_test::expect;

#[test]
fn leftovers_of_a_call_go_on_in_the_outer_one() {
    let mut p = Program::new();
    let db = p.source("db");
    let started = p.task("started", [one(db.item(1))]);
    let fast = p.task("fast", [Op::Add(10)]);
    let scheduled = p.task("scheduled", [Op::Add(100)]);
    let called = p.task("called", [any([started, fast, scheduled])]);
    let calling = p.task("calling", [Op::Call(called), one(db.item(2))]);
    let root = p.task("root", [one(calling)]);
    expect![[r#"
        call root
        root starts
        root awaits [calling]
        calling starts
        call called
          called starts
          called awaits any of [started, fast, scheduled]
          started starts
          started awaits [db#1(1)]
          fast starts
          fast returns 10
          called gets [-, 10, -]
          called returns 10
        calling awaits [db#1(2)]
        scheduled starts
        scheduled returns 100
        flush db#1(1, 2)
        started gets [1]
        started returns 1
        calling gets [2]
        calling returns 12
        root gets [12]
        root returns 12
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_an_outer_call_needs_goes_back_to_it() {
    let mut p = Program::new();
    let db = p.source("db");
    let blocked = p.task("blocked", [one(db.item(1)), one(db.item(2))]);
    let fast = p.task("fast", [one(db.item(3))]);
    let called = p.task("called", [any([blocked, fast])]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([blocked, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked, calling]
        blocked starts
        blocked awaits [db#1(1)]
        calling starts
        call called
          called starts
          called awaits any of [blocked, fast]
          fast starts
          fast awaits [db#1(3)]
          flush db#1(1, 3)
          blocked gets [1]
          blocked awaits [db#2(2)]
          fast gets [3]
          fast returns 3
          called gets [-, 3]
          called returns 3
        calling returns 3
        flush db#2(2)
        blocked gets [2]
        blocked returns 3
        root gets [3, 3]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn leftovers_of_the_outermost_call_rest_until_they_are_needed() {
    let mut p = Program::new();
    let db = p.source("db");
    let slow = p.task("slow", [one(db.item(1))]);
    let fast = p.task("fast", [Op::Add(2)]);
    let scheduled = p.task("scheduled", [Op::Add(3)]);
    let root = p.task("root", [any([slow, fast, scheduled])]);
    let unrelated = p.task("unrelated", [one(db.item(4))]);
    let again = p.task("again", [all([slow, scheduled])]);
    let mut driver = Driver::new(p);
    for task in [root, unrelated, again] {
        driver.call(task);
    }
    let record = driver.into_record();
    assert_eq!(record.tasks_left, 0);
    expect![[r#"
        call root
        root starts
        root awaits any of [slow, fast, scheduled]
        slow starts
        slow awaits [db#1(1)]
        fast starts
        fast returns 2
        root gets [-, 2, -]
        root returns 2
        call unrelated
        unrelated starts
        unrelated awaits [db#1(4)]
        flush db#1(1, 4)
        unrelated gets [4]
        unrelated returns 4
        call again
        again starts
        again awaits [slow, scheduled]
        slow gets [1]
        slow returns 1
        scheduled starts
        scheduled returns 3
        again gets [1, 3]
        again returns 4
    "#]]
    .assert_eq(&record.log());
}

#[test]
fn a_task_woken_inside_a_call_does_not_run_before_it_returns() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let waiting = p.task("waiting", [one(promise)]);
    let leaf = p.task("leaf", []);
    let called = p.task("called", [Op::Set(promise, Ok(1)), one(leaf)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [promise]
        calling starts
        call called
          called starts
          promise is set to 1
          called awaits [leaf]
          leaf starts
          leaf returns 0
          called gets [0]
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
fn leftovers_of_a_call_that_is_given_up_go_on_in_the_outer_one() {
    let mut p = Program::new();
    let db = p.source("db");
    let started = p.task("started", [one(db.item(1))]);
    let interrupted = p.task("interrupted", [Op::GiveUp]);
    let scheduled = p.task("scheduled", [Op::Add(100)]);
    let called = p.task("called", [all([started, interrupted, scheduled])]);
    let calling = p.task("calling", [Op::Call(called), Op::Catch, one(db.item(2))]);
    let root = p.task("root", [one(calling)]);
    expect![[r#"
        call root
        root starts
        root awaits [calling]
        calling starts
        call called
          called starts
          called awaits [started, interrupted, scheduled]
          started starts
          started awaits [db#1(1)]
          interrupted starts
          interrupted fails: interrupted
        calling catches: given up
        calling awaits [db#1(2)]
        scheduled starts
        scheduled returns 100
        flush db#1(1, 2)
        started gets [1]
        started returns 1
        called gets error: interrupted
        called fails: interrupted
        calling gets [2]
        calling returns 2
        root gets [2]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}
