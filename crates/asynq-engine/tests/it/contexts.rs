//! Contexts: active exactly while the task that entered it, or what that awaits, runs.
//!
//! That each pause is paired with one resume, that no context is active in a flush but those of a
//! caller, and that those are active again when its call returns, the simulated driver asserts in
//! every run.

use asynq_engine::{Engine, PriorityRule, Step};
use expect_test::expect;

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Flush, On, Op, Program, TaskRef, all, any, one};

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
        flush db#1(1)
        outer resumes
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
        shared pauses
        flush db#1(1, 1)
        shared resumes
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
          own pauses
          flush db#1(1)
          own resumes
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
          flush db#1(1)
          own resumes
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
fn the_flush_task_of_a_flush_runs_under_no_context() {
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
        context pauses
        flush db#1(1)
        load[db#1] starts
        load[db#1] awaits [config#1(9)]
        flush config#1(9)
        load[db#1] gets [9]
        load[db#1] returns 9
        db#1 lands
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
        context pauses
        flush db#1(2, 1)
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
fn what_two_long_chains_have_in_common_is_found() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let chain: Vec<_> = (0..100).map(|_| engine.enter_context(()).unwrap()).collect();
    for common in [0, 1, 7, 50, 99] {
        engine.set_scope(chain.last().copied());
        let batch = engine.add_batch((), PriorityRule::BySize);
        engine.add_item(batch).unwrap();
        engine.set_scope(chain[..common].last().copied());
        while engine.switch().is_some() {}
        let side: Vec<_> = (0..30).map(|_| engine.enter_context(()).unwrap()).collect();
        engine.add_item(batch).unwrap();
        assert!(engine.begin_flush(batch));
        assert_eq!(engine.flush_scope(batch), chain[..common].last().copied());
        side.into_iter().rev().for_each(|context| assert!(engine.leave_context(context)));
    }
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
