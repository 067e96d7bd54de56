//! Flushes out of turn: a task may have a batch flushed at once.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

mod sim;

use expect_test::expect;
use sim::{Flush, Op, Program, all, one};

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
