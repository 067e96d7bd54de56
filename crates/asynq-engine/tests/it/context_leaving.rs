//! Leaving contexts: in any order, by whomever, or not at all.

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Op, Program, all, fail, one};
use asynq_engine::{Engine, PriorityRule, Step};
use expect_test::expect;

#[test]
fn contexts_left_out_of_order_are_gone_each_by_itself() {
    let mut p = Program::new();
    let db = p.source("db");
    let [outer, inner] = ["outer", "inner"].map(|name| p.context(name));
    let leaf = p.task("leaf", [one(db.item(1))]);
    let root = p.task(
        "root",
        [Op::Enter(outer), Op::Enter(inner), Op::Leave(outer), one(leaf), Op::Leave(inner)],
    );
    expect![[r#"
        call root
        root starts
        outer resumes
        inner resumes
        outer pauses
        root awaits [leaf]
        leaf starts under inner
        leaf awaits [db#1(1)]
        flush db#1(1)
        leaf gets [1] under inner
        leaf returns 1
        root gets [1] under inner
        inner pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_entered_after_its_surroundings_were_left_stands_alone() {
    let mut p = Program::new();
    let db = p.source("db");
    let [outer, inner, later] = ["outer", "inner", "later"].map(|name| p.context(name));
    let root = p.task(
        "root",
        [
            Op::Enter(outer),
            Op::Enter(inner),
            Op::Leave(outer),
            Op::Enter(later),
            one(db.item(1)),
            Op::Leave(later),
            Op::Leave(inner),
        ],
    );
    expect![[r#"
        call root
        root starts
        outer resumes
        inner resumes
        outer pauses
        later resumes
        root awaits [db#1(1)]
        flush db#1(1)
        root gets [1] under inner, later
        later pauses
        inner pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_can_be_left_while_it_is_paused() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let inside = p.task("inside", [Op::Enter(context), one(db.item(1)), Op::Add(1)]);
    let leaving = p.task("leaving", [Op::Leave(context)]);
    let root = p.task("root", [all([inside, leaving])]);
    expect![[r#"
        call root
        root starts
        root awaits [inside, leaving]
        inside starts
        context resumes
        inside awaits [db#1(1)]
        context pauses
        leaving starts
        leaving returns 0
        flush db#1(1)
        inside gets [1]
        inside returns 2
        root gets [2, 0]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_that_is_not_left_ends_with_its_task() {
    let mut p = Program::new();
    let [outer, inner] = ["outer", "inner"].map(|name| p.context(name));
    let careless = p.task("careless", [Op::Enter(outer), Op::Enter(inner), fail("boom")]);
    let after = p.task("after", []);
    let root = p.task("root", [all([careless, after])]);
    expect![[r#"
        call root
        root starts
        root awaits [careless, after]
        careless starts
        outer resumes
        inner resumes
        careless fails: boom
        inner pauses
        outer pauses
        after starts
        after returns 0
        root gets error: boom
        root fails: boom
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_context_of_a_caller_that_is_left_in_the_call_leaves_no_gap() {
    let mut p = Program::new();
    let db = p.source("db");
    let [callers, own] = ["callers", "own"].map(|name| p.context(name));
    let called =
        p.task("called", [Op::Leave(callers), Op::Enter(own), one(db.item(1)), Op::Leave(own)]);
    let root = p.task("root", [Op::Enter(callers), Op::Call(called), Op::Leave(callers)]);
    expect![[r#"
        call root
        root starts
        callers resumes
        call called
          called starts under callers
          callers pauses
          own resumes
          called awaits [db#1(1)]
          flush db#1(1)
          called gets [1] under own
          own pauses
          called returns 1
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

/// A context is freed with the last task under it, however often it was left.
#[test]
fn a_context_left_twice_is_kept_for_the_tasks_under_it() {
    let mut engine = Engine::<Plain>::new();
    let [root, under] = [(); 2].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    let context = engine.enter_context(()).unwrap();
    await_all(&mut engine, [under]);
    assert_eq!(engine.next(), Step::Run(under));
    assert!(engine.leave_context(context));
    assert!(!engine.leave_context(context));
    assert!(engine.context(context).is_some(), "it is on the chain of `under`");
    engine.complete(under);
    assert!(engine.context(context).is_none());
}

/// Code of no task flushes it then, which may wait under what the chosen flush is under.
#[test]
fn a_chosen_batch_that_is_opened_again_is_flushed_under_the_same_contexts_although_they_are_left() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    let batch = engine.add_batch((), PriorityRule::BySize);
    begin_call(&mut engine, root);
    let outer = engine.enter_context(()).unwrap();
    let waiting = engine.add_task(());
    await_all(&mut engine, [waiting]);
    assert_eq!(engine.next(), Step::Run(waiting));
    let item = engine.add_item(batch).unwrap();
    assert!(engine.leave_context(outer));
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Flush(batch));

    assert!(engine.reopen(batch));
    engine.add_item(batch).unwrap();
    assert!(engine.begin_flush(batch));

    assert_eq!(engine.flush_scope(batch), Some(outer));
}
