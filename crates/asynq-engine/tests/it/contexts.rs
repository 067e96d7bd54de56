//! Contexts: active exactly while the task that entered it, or what that awaits, runs.
//!
//! That each pause is paired with one resume, that no context is active in a flush but those of a
//! caller, and that those are active again when its call returns, the simulated driver asserts in
//! every run.

use expect_test::expect;

use crate::sim::{Flush, On, Op, Program, all, any, one};

#[test]
fn a_context_is_active_while_its_task_or_what_that_awaits_runs() {
    let mut p = Program::new();
    let db = p.source("db");
    let outer = p.context("outer");
    let leaf = p.task("leaf", [one(db.item(1))]);
    let inside = p.task("inside", [Op::Enter(outer), one(leaf), Op::Leave(outer), Op::Add(1)]);
    let outside = p.task("outside", []);
    let root = p.task("root", [all([inside, outside])]);
    expect![[r#"
        call root
        root starts
        root awaits [inside, outside]
        inside starts
        outer resumes
        inside awaits [leaf]
        leaf starts under outer
        leaf awaits [db#1(1)]
        outer pauses
        outside starts
        outside returns 0
        outer resumes
        flush db#1(1)
        leaf gets [1] under outer
        leaf returns 1
        inside gets [1] under outer
        outer pauses
        inside returns 2
        root gets [2, 0]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn only_what_differs_between_two_tasks_is_switched() {
    let mut p = Program::new();
    let db = p.source("db");
    let shared = p.context("shared");
    let tasks: Vec<_> = ["left", "right"]
        .iter()
        .map(|name| {
            let own = p.context(&format!("{name}'s"));
            p.task(name, [Op::Enter(own), one(db.item(1)), Op::Leave(own)])
        })
        .collect();
    let root = p.task("root", [Op::Enter(shared), all(tasks), Op::Leave(shared)]);
    expect![[r#"
        call root
        root starts
        shared resumes
        root awaits [left, right]
        left starts under shared
        left's resumes
        left awaits [db#1(1)]
        left's pauses
        right starts under shared
        right's resumes
        right awaits [db#1(1)]
        right's pauses
        flush db#1(1, 1)
        left's resumes
        left gets [1] under shared, left's
        left's pauses
        left returns 1
        right's resumes
        right gets [1] under shared, right's
        right's pauses
        right returns 1
        root gets [1, 1] under shared
        shared pauses
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn tasks_of_the_same_chain_need_no_switch() {
    let mut p = Program::new();
    let context = p.context("context");
    let deep = p.task("deep", []);
    let middle = p.task("middle", [one(deep)]);
    let plain = p.task("plain", []);
    let root = p.task("root", [Op::Enter(context), all([middle, plain]), Op::Leave(context)]);
    expect![[r#"
        call root
        root starts
        context resumes
        root awaits [middle, plain]
        middle starts under context
        middle awaits [deep]
        deep starts under context
        deep returns 0
        middle gets [0] under context
        middle returns 0
        plain starts under context
        plain returns 0
        root gets [0, 0] under context
        context pauses
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_innermost_is_paused_first_and_the_outermost_resumed_first() {
    let mut p = Program::new();
    let db = p.source("db");
    p.limit_to_call(db);
    let [outer, middle, inner] = ["outer", "middle", "inner"].map(|name| p.context(name));
    let leaf = p.task("leaf", [Op::Enter(inner), one(db.item(1)), Op::Leave(inner)]);
    let root = p.task(
        "root",
        [Op::Enter(outer), Op::Enter(middle), one(leaf), Op::Leave(middle), Op::Leave(outer)],
    );
    expect![[r#"
        call root
        root starts
        outer resumes
        middle resumes
        root awaits [leaf]
        leaf starts under outer, middle
        inner resumes
        leaf awaits [db#1(1)]
        inner pauses
        middle pauses
        outer pauses
        flush db#1(1)
        outer resumes
        middle resumes
        inner resumes
        leaf gets [1] under outer, middle, inner
        inner pauses
        leaf returns 1
        root gets [1] under outer, middle
        middle pauses
        outer pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_shared_task_runs_under_the_contexts_of_the_one_that_asked_first() {
    let mut p = Program::new();
    let db = p.source("db");
    let [first, second] = ["first", "second"].map(|name| p.context(name));
    let shared = p.task("shared", [one(db.item(1))]);
    let a = p.task("a", [Op::Enter(first), one(shared), Op::Leave(first)]);
    let b = p.task("b", [Op::Enter(second), one(shared), Op::Leave(second)]);
    let root = p.task("root", [all([a, b])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        first resumes
        a awaits [shared]
        shared starts under first
        shared awaits [db#1(1)]
        first pauses
        b starts
        second resumes
        b awaits [shared]
        second pauses
        flush db#1(1)
        first resumes
        shared gets [1] under first
        shared returns 1
        a gets [1] under first
        first pauses
        a returns 1
        second resumes
        b gets [1] under second
        second pauses
        b returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_began_before_a_context_was_entered_is_not_under_it() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let early = p.task("early", [one(db.item(1))]);
    let leaf = p.task("leaf", []);
    let root =
        p.task("root", [any([early, leaf]), Op::Enter(context), one(early), Op::Leave(context)]);
    expect![[r#"
        call root
        root starts
        root awaits any of [early, leaf]
        early starts
        early awaits [db#1(1)]
        leaf starts
        leaf returns 0
        root gets [-, 0]
        context resumes
        root awaits [early]
        context pauses
        flush db#1(1)
        early gets [1]
        early returns 1
        context resumes
        root gets [1] under context
        context pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_is_not_active_while_the_driver_waits() {
    let mut p = Program::new();
    let db = p.source("db");
    p.flush(db, Flush::Later(0));
    let context = p.context("context");
    let leaf = p.task("leaf", [one(db.item(1))]);
    let on: [On; 2] = [leaf.into(), db.item(2)];
    let root = p.task("root", [Op::Enter(context), all(on), Op::Leave(context)]);
    expect![[r#"
        call root
        root starts
        context resumes
        root awaits [leaf, db#1(2)]
        leaf starts under context
        leaf awaits [db#1(1)]
        flush db#1(2, 1)
        context pauses
        wait
        db#1 lands
        context resumes
        leaf gets [1] under context
        leaf returns 1
        root gets [1, 2] under context
        context pauses
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}
