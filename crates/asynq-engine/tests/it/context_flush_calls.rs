//! The contexts of flushes in calls, and of those that code asks for.

use expect_test::expect;

use crate::sim::{Flush, Op, Program, TaskRef, all, one};

/// A call under `callers` asks the source that another task waits for, which is not under them.
fn flush_for_two(flush: impl Fn(TaskRef) -> Flush) -> String {
    let mut p = Program::new();
    let [db, config] = ["db", "config"].map(|name| p.source(name));
    let helper = p.task("helper", [one(config.item(9))]);
    p.flush(db, flush(helper));
    let [both, callers] = ["both", "callers"].map(|name| p.context(name));
    let called = p.task("called", [one(db.item(2))]);
    let other = p.task("other", [one(db.item(1))]);
    let calling = p.task("calling", [Op::Enter(callers), Op::Call(called), Op::Leave(callers)]);
    let joins = p.task("joins", [Op::Enter(both), all([other, calling]), Op::Leave(both)]);
    let root = p.task("root", [Op::Call(joins)]);
    p.log(root)
}

#[test]
fn a_flush_in_a_call_sees_what_is_common_to_all_who_wait() {
    expect![[r#"
        call root
        root starts
        call joins
          joins starts
          both resumes
          joins awaits [other, calling]
          other starts under both
          other awaits [db#1(1)]
          calling starts under both
          callers resumes
          call called
            called starts under both, callers
            called awaits [db#1(2)]
            callers pauses
            flush db#1(1, 2)
            callers resumes
            called gets [2] under both, callers
            called returns 2
          callers pauses
          calling returns 2
          other gets [1] under both
          other returns 1
          joins gets [1, 2] under both
          both pauses
          joins returns 3
        root returns 3
    "#]]
    .assert_eq(&flush_for_two(|_| Flush::Now));
}

#[test]
fn the_flush_task_of_a_flush_in_a_call_sees_what_is_common_to_all_who_wait() {
    expect![[r#"
        call root
        root starts
        call joins
          joins starts
          both resumes
          joins awaits [other, calling]
          other starts under both
          other awaits [db#1(1)]
          calling starts under both
          callers resumes
          call called
            called starts under both, callers
            called awaits [db#1(2)]
            callers pauses
            flush db#1(1, 2)
            helper[db#1] starts under both
            helper[db#1] awaits [config#1(9)]
            flush config#1(9)
            helper[db#1] gets [9] under both
            helper[db#1] returns 9
            db#1 lands
            callers resumes
            called gets [2] under both, callers
            called returns 2
          callers pauses
          calling returns 2
          other gets [1] under both
          other returns 1
          joins gets [1, 2] under both
          both pauses
          joins returns 3
        root returns 3
    "#]]
    .assert_eq(&flush_for_two(Flush::Carried));
}

#[test]
fn a_call_in_a_flush_sees_what_is_common_to_all_who_wait() {
    expect![[r#"
        call root
        root starts
        call joins
          joins starts
          both resumes
          joins awaits [other, calling]
          other starts under both
          other awaits [db#1(1)]
          calling starts under both
          callers resumes
          call called
            called starts under both, callers
            called awaits [db#1(2)]
            callers pauses
            flush db#1(1, 2)
            call helper[db#1]
              helper[db#1] starts under both
              helper[db#1] awaits [config#1(9)]
              flush config#1(9)
              helper[db#1] gets [9] under both
              helper[db#1] returns 9
            callers resumes
            called gets [2] under both, callers
            called returns 2
          callers pauses
          calling returns 2
          other gets [1] under both
          other returns 1
          joins gets [1, 2] under both
          both pauses
          joins returns 3
        root returns 3
    "#]]
    .assert_eq(&flush_for_two(Flush::Calls));
}

#[test]
fn a_task_that_flushes_out_of_turn_leaves_its_own_contexts_meanwhile() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let other = p.task("other", [one(db.item(1))]);
    let flushes = p.task(
        "flushes",
        [Op::Enter(context), Op::Depend(vec![db.item(2)]), Op::Flush(db), Op::Leave(context)],
    );
    let root = p.task("root", [all([other, flushes])]);
    expect![[r#"
        call root
        root starts
        root awaits [other, flushes]
        other starts
        other awaits [db#1(1)]
        flushes starts
        context resumes
        context pauses
        flush db#1(1, 2)
        context resumes
        context pauses
        flushes returns 0
        other gets [1]
        other returns 1
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_has_flushed_out_of_turn_is_under_its_own_contexts_again() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let child = p.task("child", []);
    let root = p.task(
        "root",
        [
            Op::Depend(vec![db.item(1)]),
            Op::Enter(context),
            Op::Flush(db),
            one(child),
            Op::Leave(context),
        ],
    );
    expect![[r#"
        call root
        root starts
        context resumes
        context pauses
        flush db#1(1)
        context resumes
        root awaits [-, child]
        child starts under context
        child returns 0
        root gets [1, 0] under context
        context pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}
