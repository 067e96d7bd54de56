//! Flushes and contexts: a flush is under what is common to everybody who waits for it.

use expect_test::expect;

use crate::sim::{ContextRef, Op, Program, SourceRef, all, one};

/// Two tasks, each in a context of its own, wait for a batch inside of a context of both.
fn flush_for_two_in_one_call(change: impl Fn(&mut Program, SourceRef, ContextRef)) -> String {
    let mut p = Program::new();
    let db = p.source("db");
    let both = p.context("both");
    change(&mut p, db, both);
    let tasks: Vec<_> = ["a", "b"]
        .iter()
        .map(|name| {
            let own = p.context(&format!("{name}'s"));
            p.task(name, [Op::Enter(own), one(db.item(1)), Op::Leave(own)])
        })
        .collect();
    let root = p.task("root", [Op::Enter(both), all(tasks), Op::Leave(both)]);
    p.log(root)
}

#[test]
fn a_flush_sees_what_is_common_to_all_who_wait() {
    expect![[r#"
        call root
        root starts
        both resumes
        root awaits [a, b]
        a starts under both
        a's resumes
        a awaits [db#1(1)]
        a's pauses
        b starts under both
        b's resumes
        b awaits [db#1(1)]
        b's pauses
        flush db#1(1, 1)
        a's resumes
        a gets [1] under both, a's
        a's pauses
        a returns 1
        b's resumes
        b gets [1] under both, b's
        b's pauses
        b returns 1
        root gets [1, 1] under both
        both pauses
        root returns 2
    "#]]
    .assert_eq(&flush_for_two_in_one_call(|_, _, _| {}));
}

#[test]
fn a_context_that_is_kept_out_of_flushes_is_paused() {
    expect![[r#"
        call root
        root starts
        both resumes
        root awaits [a, b]
        a starts under both
        a's resumes
        a awaits [db#1(1)]
        a's pauses
        b starts under both
        b's resumes
        b awaits [db#1(1)]
        b's pauses
        both pauses
        flush db#1(1, 1)
        both resumes
        a's resumes
        a gets [1] under both, a's
        a's pauses
        a returns 1
        b's resumes
        b gets [1] under both, b's
        b's pauses
        b returns 1
        root gets [1, 1] under both
        both pauses
        root returns 2
    "#]]
    .assert_eq(&flush_for_two_in_one_call(|p, _, both| p.keep_out_of_flushes(both)));
}

#[test]
fn a_flush_that_is_limited_to_its_call_sees_no_context_entered_since() {
    expect![[r#"
        call root
        root starts
        both resumes
        root awaits [a, b]
        a starts under both
        a's resumes
        a awaits [db#1(1)]
        a's pauses
        b starts under both
        b's resumes
        b awaits [db#1(1)]
        b's pauses
        both pauses
        flush db#1(1, 1)
        both resumes
        a's resumes
        a gets [1] under both, a's
        a's pauses
        a returns 1
        b's resumes
        b gets [1] under both, b's
        b's pauses
        b returns 1
        root gets [1, 1] under both
        both pauses
        root returns 2
    "#]]
    .assert_eq(&flush_for_two_in_one_call(|p, db, _| p.limit_to_call(db)));
}

#[test]
fn a_flush_sees_no_context_inside_one_that_is_kept_out() {
    let mut p = Program::new();
    let db = p.source("db");
    let [outer, timer, inner] = ["outer", "timer", "inner"].map(|name| p.context(name));
    p.keep_out_of_flushes(timer);
    let root = p.task(
        "root",
        [Op::Enter(outer), Op::Enter(timer), Op::Enter(inner), one(db.item(1)), Op::Leave(inner)],
    );
    expect![[r#"
        call root
        root starts
        outer resumes
        timer resumes
        inner resumes
        root awaits [db#1(1)]
        inner pauses
        timer pauses
        flush db#1(1)
        timer resumes
        inner resumes
        root gets [1] under outer, timer, inner
        inner pauses
        root returns 1
        timer pauses
        outer pauses
    "#]]
    .assert_eq(&p.log(root));
}
