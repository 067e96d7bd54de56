//! Calls and contexts: a call begins and ends under the contexts of its caller, and pauses them for
//! tasks that are not under them.

use asynq_engine::{Engine, Step};
use expect_test::expect;

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Op, Program, all, one};

#[test]
fn the_contexts_of_a_caller_stay_active_until_the_call_returns() {
    let mut p = Program::new();
    let db = p.source("db");
    let [callers, own] = ["callers", "own"].map(|name| p.context(name));
    let called = p.task("called", [Op::Enter(own), one(db.item(1)), Op::Leave(own)]);
    let root = p.task("root", [Op::Enter(callers), Op::Call(called), Op::Leave(callers)]);
    expect![[r#"
        call root
        root starts
        callers resumes
        call called
          called starts under callers
          own resumes
          called awaits [db#1(1)]
          flush db#1(1)
          called gets [1] under callers, own
          own pauses
          called returns 1
        callers pauses
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_of_somebody_else_that_a_call_drives_runs_under_its_own_contexts() {
    let mut p = Program::new();
    let db = p.source("db");
    let [callers, own] = ["callers", "own"].map(|name| p.context(name));
    let blocked = p.task("blocked", [Op::Enter(own), one(db.item(1)), Op::Leave(own)]);
    let called = p.task("called", [one(blocked)]);
    let calling = p.task("calling", [Op::Enter(callers), Op::Call(called), Op::Leave(callers)]);
    let root = p.task("root", [all([blocked, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked, calling]
        blocked starts
        own resumes
        blocked awaits [db#1(1)]
        own pauses
        calling starts
        callers resumes
        call called
          called starts under callers
          called awaits [blocked]
          callers pauses
          own resumes
          flush db#1(1)
          blocked gets [1] under own
          own pauses
          blocked returns 1
          callers resumes
          called gets [1] under callers
          called returns 1
        callers pauses
        calling returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_is_called_in_a_context_of_no_task_runs_under_it() {
    let mut engine = Engine::<Plain>::new();
    let [shared, first, second] = [(); 3].map(|()| engine.add_task(()));
    begin_call(&mut engine, first);
    await_all(&mut engine, [shared]);
    assert_eq!(engine.next(), Step::Run(shared));
    engine.abandon();
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    let context = engine.enter_code_context(());
    begin_call(&mut engine, second);
    assert_eq!(engine.active_contexts(), [context]);
    engine.complete(second);
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    engine.enter(first);
    engine.complete(shared);
    assert_eq!(engine.next(), Step::Pause(context), "another call has started it");
    assert_eq!(engine.next(), Step::Run(first));
    engine.complete(first);
    assert_eq!(engine.next(), Step::Resume(context));
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    assert!(engine.leave_context(context));
    assert_eq!(engine.context(context), None);
}
