//! Flushes for tasks that others share, each in contexts of its own.

use expect_test::expect;

use crate::sim::{Flush, Op, Program, SourceRef, all, one};

/// Tasks `a` and `b` wait for the task `shared`, each in a context of its own.
fn flush_for_who_share(shared: impl FnOnce(&mut Program, SourceRef) -> Vec<Op>) -> String {
    let mut p = Program::new();
    let db = p.source("db");
    let script = shared(&mut p, db);
    let shared = p.task("shared", script);
    let tasks: Vec<_> = ["a", "b"]
        .iter()
        .map(|name| {
            let own = p.context(&format!("{name}'s"));
            p.task(name, [Op::Enter(own), one(shared), Op::Leave(own)])
        })
        .collect();
    let root = p.task("root", [all(tasks)]);
    p.log(root)
}

#[test]
fn a_flush_for_a_shared_task_sees_nothing_of_who_asked_first() {
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a's resumes
        a awaits [shared]
        shared starts under a's
        shared awaits [db#1(1)]
        a's pauses
        b starts
        b's resumes
        b awaits [shared]
        b's pauses
        flush db#1(1)
        a's resumes
        shared gets [1] under a's
        shared returns 1
        a gets [1] under a's
        a's pauses
        a returns 1
        b's resumes
        b gets [1] under b's
        b's pauses
        b returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&flush_for_who_share(|_, db| vec![one(db.item(1))]));
}

#[test]
fn a_flush_for_what_a_shared_task_awaits_sees_nothing_of_who_asked_first() {
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a's resumes
        a awaits [shared]
        shared starts under a's
        shared awaits [deep]
        deep starts under a's
        deep awaits [db#1(1)]
        a's pauses
        b starts
        b's resumes
        b awaits [shared]
        b's pauses
        flush db#1(1)
        a's resumes
        deep gets [1] under a's
        deep awaits [db#2(2)]
        a's pauses
        flush db#2(2)
        a's resumes
        deep gets [2] under a's
        deep returns 3
        shared gets [3] under a's
        shared returns 3
        a gets [3] under a's
        a's pauses
        a returns 3
        b's resumes
        b gets [3] under b's
        b's pauses
        b returns 3
        root gets [3, 3]
        root returns 6
    "#]]
    .assert_eq(&flush_for_who_share(|p, db| {
        let deep = p.task("deep", [one(db.item(1)), one(db.item(2))]);
        vec![one(deep)]
    }));
}

#[test]
fn a_flush_for_what_a_shared_task_calls_sees_nothing_of_who_asked_first() {
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a's resumes
        a awaits [shared]
        shared starts under a's
        shared awaits [db#1(1)]
        a's pauses
        b starts
        b's resumes
        b awaits [shared]
        b's pauses
        flush db#1(1)
        a's resumes
        shared gets [1] under a's
        call called
          called starts under a's
          called awaits [db#2(2)]
          a's pauses
          flush db#2(2)
          a's resumes
          called gets [2] under a's
          called returns 2
        shared returns 3
        a gets [3] under a's
        a's pauses
        a returns 3
        b's resumes
        b gets [3] under b's
        b's pauses
        b returns 3
        root gets [3, 3]
        root returns 6
    "#]]
    .assert_eq(&flush_for_who_share(|p, db| {
        let called = p.task("called", [one(db.item(2))]);
        vec![one(db.item(1)), Op::Call(called)]
    }));
}

#[test]
fn a_flush_sees_the_contexts_that_a_shared_task_enters_if_those_around_are_common() {
    let mut p = Program::new();
    let db = p.source("db");
    let own = p.context("own");
    let shared = p.task("shared", [Op::Enter(own), one(db.item(1)), Op::Leave(own)]);
    let tasks: Vec<_> = ["a", "b"].iter().map(|name| p.task(name, [one(shared)])).collect();
    let root = p.task("root", [all(tasks)]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a awaits [shared]
        shared starts
        own resumes
        shared awaits [db#1(1)]
        own pauses
        b starts
        b awaits [shared]
        own resumes
        flush db#1(1)
        shared gets [1] under own
        own pauses
        shared returns 1
        a gets [1]
        a returns 1
        b gets [1]
        b returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn who_awaits_an_item_in_flight_counts_for_what_its_flush_task_asks_for() {
    let mut p = Program::new();
    let [db, config] = ["db", "config"].map(|name| p.source(name));
    let load = p.task("load", [one(config.item(8)), one(config.item(9))]);
    p.flush(db, Flush::Carried(load));
    let shared = p.task("shared", [one(db.item(1))]);
    let [a, b] = ["a", "b"].map(|name| p.context(name));
    let first = p.task("first", [Op::Enter(a), one(shared), Op::Leave(a)]);
    let second = p.task("second", [Op::Enter(b), one(config.item(7)), one(shared), Op::Leave(b)]);
    let root = p.task("root", [all([first, second])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second]
        first starts
        a resumes
        first awaits [shared]
        shared starts under a
        shared awaits [db#1(1)]
        a pauses
        second starts
        b resumes
        second awaits [config#1(7)]
        b pauses
        a resumes
        flush db#1(1)
        load[db#1] starts under a
        load[db#1] awaits [config#1(8)]
        a pauses
        flush config#1(7, 8)
        b resumes
        second gets [7] under b
        second awaits [shared]
        b pauses
        a resumes
        load[db#1] gets [8] under a
        load[db#1] awaits [config#2(9)]
        a pauses
        flush config#2(9)
        a resumes
        load[db#1] gets [9] under a
        load[db#1] returns 17
        db#1 lands
        shared gets [1] under a
        shared returns 1
        first gets [1] under a
        a pauses
        first returns 1
        b resumes
        second gets [1] under b
        b pauses
        second returns 8
        root gets [1, 8]
        root returns 9
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_flush_task_of_a_flush_runs_under_the_contexts_of_the_flush() {
    let mut p = Program::new();
    let config = p.source("config");
    let db = p.source("db");
    let context = p.context("context");
    let load = p.task("load", [one(config.item(9))]);
    p.flush(db, Flush::Carried(load));
    let root = p.task("root", [Op::Enter(context), one(db.item(1)), Op::Leave(context)]);
    expect![[r#"
        call root
        root starts
        context resumes
        root awaits [db#1(1)]
        flush db#1(1)
        load[db#1] starts under context
        load[db#1] awaits [config#1(9)]
        flush config#1(9)
        load[db#1] gets [9] under context
        load[db#1] returns 9
        db#1 lands
        root gets [1] under context
        context pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}
