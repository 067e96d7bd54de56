//! Failing contexts: a failing pause or resume fails the task that owns the context, and nothing
//! else.

use crate::sim::{Op, Program, all, one};
use expect_test::expect;

#[test]
fn a_failing_resume_fails_the_task_that_owns_the_context_and_nothing_else() {
    let mut p = Program::new();
    let db = p.source("db");
    let fragile = p.context("fragile");
    p.fail_resume(fragile, 2);
    let leaf = p.task("leaf", [one(db.item(1)), one(db.item(2))]);
    let owner = p.task("owner", [Op::Enter(fragile), one(leaf), Op::Leave(fragile)]);
    let other = p.task("other", [one(db.item(3))]);
    let root = p.task("root", [all([owner, other]), Op::Catch, one(leaf)]);
    expect![[r#"
        call root
        root starts
        root awaits [owner, other]
        owner starts
        fragile resumes
        owner awaits [leaf]
        leaf starts under fragile
        leaf awaits [db#1(1)]
        fragile pauses
        other starts
        other awaits [db#1(3)]
        flush db#1(1, 3)
        fragile fails to resume
        leaf gets [1]
        leaf awaits [db#2(2)]
        other gets [3]
        other returns 3
        owner gets error: fragile did not resume
        owner fails: fragile did not resume
        root gets error: fragile did not resume
        root catches: fragile did not resume
        root awaits [leaf]
        flush db#2(2)
        leaf gets [2]
        leaf returns 3
        root gets [3]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_failing_pause_fails_the_task_that_owns_the_context_and_nothing_else() {
    let mut p = Program::new();
    let db = p.source("db");
    let fragile = p.context("fragile");
    p.fail_pause(fragile, 1);
    let owner = p.task("owner", [Op::Enter(fragile), one(db.item(1)), Op::Leave(fragile)]);
    let other = p.task("other", [one(db.item(2))]);
    let root = p.task("root", [all([owner, other])]);
    expect![[r#"
        call root
        root starts
        root awaits [owner, other]
        owner starts
        fragile resumes
        owner awaits [db#1(1)]
        fragile fails to pause
        other starts
        other awaits [db#1(2)]
        owner gets error: fragile did not pause
        owner fails: fragile did not pause
        flush db#1(1, 2)
        other gets [2]
        other returns 2
        root gets error: fragile did not pause
        root fails: fragile did not pause
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_failing_pause_does_not_keep_the_others_from_being_paused() {
    let mut p = Program::new();
    let db = p.source("db");
    p.limit_to_call(db);
    let [outer, fragile, inner] = ["outer", "fragile", "inner"].map(|name| p.context(name));
    p.fail_pause(fragile, 1);
    let leaf = p.task("leaf", [Op::Enter(inner), one(db.item(1)), Op::Leave(inner)]);
    let owner = p.task("owner", [Op::Enter(fragile), one(leaf), Op::Leave(fragile)]);
    let root = p.task("root", [Op::Enter(outer), one(owner), Op::Catch, Op::Leave(outer)]);
    expect![[r#"
        call root
        root starts
        outer resumes
        root awaits [owner]
        owner starts under outer
        fragile resumes
        owner awaits [leaf]
        leaf starts under outer, fragile
        inner resumes
        leaf awaits [db#1(1)]
        inner pauses
        fragile fails to pause
        owner gets error: fragile did not pause under outer
        owner fails: fragile did not pause
        root gets error: fragile did not pause under outer
        root catches: fragile did not pause
        outer pauses
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_that_fails_when_it_is_entered_is_not_entered() {
    let mut p = Program::new();
    let db = p.source("db");
    let fragile = p.context("fragile");
    p.fail_resume(fragile, 1);
    let root = p.task("root", [Op::Enter(fragile), Op::Catch, one(db.item(1))]);
    expect![[r#"
        call root
        root starts
        fragile fails to resume
        root catches: fragile did not resume
        root awaits [db#1(1)]
        flush db#1(1)
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_that_fails_when_it_is_left_fails_its_task() {
    let mut p = Program::new();
    let db = p.source("db");
    let fragile = p.context("fragile");
    p.fail_pause(fragile, 1);
    let root = p.task("root", [Op::Enter(fragile), Op::Leave(fragile), Op::Catch, one(db.item(1))]);
    expect![[r#"
        call root
        root starts
        fragile resumes
        fragile fails to pause
        root catches: fragile did not pause
        root awaits [db#1(1)]
        flush db#1(1)
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_failing_context_whose_owner_has_ended_fails_nobody() {
    let mut p = Program::new();
    let fragile = p.context("fragile");
    p.fail_pause(fragile, 1);
    let careless = p.task("careless", [Op::Enter(fragile)]);
    let after = p.task("after", []);
    let root = p.task("root", [all([careless, after])]);
    expect![[r#"
        call root
        root starts
        root awaits [careless, after]
        careless starts
        fragile resumes
        careless returns 0
        fragile fails to pause
        after starts
        after returns 0
        root gets [0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn an_owner_that_is_ready_when_its_context_fails_fails_when_it_runs() {
    let mut p = Program::new();
    let db = p.source("db");
    p.limit_to_call(db);
    let fragile = p.context("fragile");
    p.fail_resume(fragile, 2);
    let owner = p.task("owner", [Op::Enter(fragile), one(db.item(1)), Op::Catch, one(db.item(2))]);
    let root = p.task("root", [one(owner)]);
    expect![[r#"
        call root
        root starts
        root awaits [owner]
        owner starts
        fragile resumes
        owner awaits [db#1(1)]
        fragile pauses
        flush db#1(1)
        fragile fails to resume
        owner gets error: fragile did not resume
        owner catches: fragile did not resume
        owner awaits [db#2(2)]
        flush db#2(2)
        owner gets [2]
        owner returns 2
        root gets [2]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}
