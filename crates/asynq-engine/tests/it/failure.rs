//! Failure: errors reach those who wait, and leave the scheduler usable.

use crate::sim::{Driver, Fate, Flush, Op, Program, all, fail, one};
use expect_test::expect;

#[test]
fn the_error_of_a_task_goes_up_until_it_is_caught() {
    let mut p = Program::new();
    let leaf = p.task("leaf", [fail("boom"), Op::Add(1)]);
    let middle = p.task("middle", [one(leaf), Op::Add(2)]);
    let root = p.task("root", [one(middle), Op::Add(4), Op::Catch, Op::Add(8)]);
    expect![[r#"
        call root
        root starts
        root awaits [middle]
        middle starts
        middle awaits [leaf]
        leaf starts
        leaf fails: boom
        middle gets error: boom
        middle fails: boom
        root gets error: boom
        root catches: boom
        root returns 8
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_error_of_an_item_is_its_own() {
    let mut p = Program::new();
    let db = p.source("db");
    p.fate(db, 2, Fate::Error);
    let tasks = [1, 2, 3].map(|key| p.task(&format!("task {key}"), [one(db.item(key))]));
    let root = p.task("root", [all(tasks)]);
    expect![[r#"
        call root
        root starts
        root awaits [task 1, task 2, task 3]
        task 1 starts
        task 1 awaits [db#1(1)]
        task 2 starts
        task 2 awaits [db#1(2)]
        task 3 starts
        task 3 awaits [db#1(3)]
        flush db#1(1, 2, 3)
        task 1 gets [1]
        task 1 returns 1
        task 2 gets error: db#1 has no 2
        task 2 fails: db#1 has no 2
        task 3 gets [3]
        task 3 returns 3
        root gets error: db#1 has no 2
        root fails: db#1 has no 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_error_of_a_flush_is_that_of_each_item_without_a_value() {
    let mut p = Program::new();
    let db = p.source("db");
    p.fate(db, 1, Fate::Forgotten);
    p.fate(db, 3, Fate::Breaks);
    let tasks = [1, 2, 3, 4].map(|key| p.task(&format!("task {key}"), [one(db.item(key))]));
    let root = p.task("root", [all(tasks)]);
    expect![[r#"
        call root
        root starts
        root awaits [task 1, task 2, task 3, task 4]
        task 1 starts
        task 1 awaits [db#1(1)]
        task 2 starts
        task 2 awaits [db#1(2)]
        task 3 starts
        task 3 awaits [db#1(3)]
        task 4 starts
        task 4 awaits [db#1(4)]
        flush db#1(1, 2, 3, 4)
        task 1 gets error: db#1 broke at 3
        task 1 fails: db#1 broke at 3
        task 2 gets [2]
        task 2 returns 2
        task 3 gets error: db#1 broke at 3
        task 3 fails: db#1 broke at 3
        task 4 gets error: db#1 broke at 3
        task 4 fails: db#1 broke at 3
        root gets error: db#1 broke at 3
        root fails: db#1 broke at 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn an_item_that_the_flush_forgot_gets_an_error() {
    let mut p = Program::new();
    let db = p.source("db");
    p.fate(db, 2, Fate::Forgotten);
    let tasks = [1, 2].map(|key| p.task(&format!("task {key}"), [one(db.item(key))]));
    let root = p.task("root", [all(tasks)]);
    expect![[r#"
        call root
        root starts
        root awaits [task 1, task 2]
        task 1 starts
        task 1 awaits [db#1(1)]
        task 2 starts
        task 2 awaits [db#1(2)]
        flush db#1(1, 2)
        task 1 gets [1]
        task 1 returns 1
        task 2 gets error: db#1 forgot 2
        task 2 fails: db#1 forgot 2
        root gets error: db#1 forgot 2
        root fails: db#1 forgot 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_error_of_a_task_that_carries_a_flush_is_that_of_its_items() {
    let mut p = Program::new();
    let db = p.source("db");
    let load = p.task("load", [fail("no connection")]);
    p.flush(db, Flush::Carried(load));
    let root = p.task("root", [all([db.item(1), db.item(2)])]);
    expect![[r#"
        call root
        root starts
        root awaits [db#1(1), db#1(2)]
        flush db#1(1, 2)
        load[db#1] starts
        load[db#1] fails: no connection
        db#1 lands
        root gets error: no connection
        root fails: no connection
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_error_of_a_call_in_a_flush_is_that_of_its_items() {
    let mut p = Program::new();
    let db = p.source("db");
    let connect = p.task("connect", [fail("no connection")]);
    p.flush(db, Flush::Calls(connect));
    let root = p.task("root", [all([db.item(1), db.item(2)])]);
    expect![[r#"
        call root
        root starts
        root awaits [db#1(1), db#1(2)]
        flush db#1(1, 2)
        call connect[db#1]
          connect[db#1] starts
          connect[db#1] fails: no connection
        root gets error: no connection
        root fails: no connection
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_source_can_be_asked_again_after_its_flush_failed() {
    let mut p = Program::new();
    let db = p.source("db");
    p.fate(db, 1, Fate::Breaks);
    let root = p.task("root", [one(db.item(1)), Op::Catch, one(db.item(2))]);
    expect![[r#"
        call root
        root starts
        root awaits [db#1(1)]
        flush db#1(1)
        root gets error: db#1 broke at 1
        root catches: db#1 broke at 1
        root awaits [db#2(2)]
        flush db#2(2)
        root gets [2]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_that_failed_leaves_nothing_behind() {
    let mut p = Program::new();
    let db = p.source("db");
    p.fate(db, 1, Fate::Breaks);
    let failing = p.task("failing", [one(db.item(1))]);
    let fine = p.task("fine", [one(db.item(2))]);
    let mut driver = Driver::new(p);
    driver.call(failing);
    driver.call(fine);
    let record = driver.into_record();
    assert_eq!((record.tasks_left, record.batches_left), (0, 0));
    assert_eq!(record.calls, [Err("db#1 broke at 1".into()), Ok(2)]);
}

#[test]
fn a_call_that_is_given_up_leaves_the_engine_usable() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let waiting = p.task("waiting", [one(db.item(1))]);
    let interrupted = p.task("interrupted", [Op::Enter(context), Op::GiveUp]);
    let root = p.task("root", [all([waiting, interrupted])]);
    let fine = p.task("fine", [one(waiting)]);
    let mut driver = Driver::new(p);
    driver.call(root);
    driver.call(fine);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, interrupted]
        waiting starts
        waiting awaits [db#1(1)]
        interrupted starts
        context resumes
        interrupted fails: interrupted
        context pauses
        call fine
        fine starts
        fine awaits [waiting]
        flush db#1(1)
        waiting gets [1]
        waiting returns 1
        fine gets [1]
        fine returns 1
    "#]]
    .assert_eq(&driver.into_record().log());
}
