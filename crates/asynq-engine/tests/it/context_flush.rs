//! Flushes and contexts: a flush is under what is common to its caller and to all tasks that asked for
//! an item of the batch or wait for one.

use asynq_engine::{Engine, PriorityRule, Step};
use expect_test::expect;

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Flush, Op, Program, TaskRef, all, one};

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

#[test]
fn a_task_that_waits_narrows_the_scope_of_a_batch() {
    let mut engine = Engine::<Plain>::new();
    let [root, other, outer, inner] = [(); 4].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    let early = engine.add_item(batch).unwrap();
    begin_call(&mut engine, root);
    await_all(&mut engine, [other, outer]);
    assert_eq!(engine.next(), Step::Run(other));
    await_all(&mut engine, [early]);
    assert_eq!(engine.next(), Step::Run(outer));
    let context = engine.enter_context(()).unwrap();
    begin_call(&mut engine, inner);
    let late = engine.add_item(batch).unwrap();
    await_all(&mut engine, [late]);
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Flush(batch));
}

#[test]
fn a_task_that_asks_and_does_not_wait_narrows_the_scope_of_a_batch() {
    let mut engine = Engine::<Plain>::new();
    let [outer, inner] = [(); 2].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    begin_call(&mut engine, outer);
    let context = engine.enter_context(()).unwrap();
    engine.set_scope(None);
    engine.add_item(batch).unwrap();
    engine.set_scope(Some(context));
    begin_call(&mut engine, inner);
    let item = engine.add_item(batch).unwrap();
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Flush(batch));
}

#[test]
fn code_of_no_task_narrows_the_scope_of_a_batch_to_its_context() {
    let mut engine = Engine::<Plain>::new();
    let [outer, inner] = [(); 2].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    let shared = engine.enter_code_context(());
    engine.add_item(batch).unwrap();
    begin_call(&mut engine, outer);
    let own = engine.enter_context(()).unwrap();
    begin_call(&mut engine, inner);
    let item = engine.add_item(batch).unwrap();
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Pause(own));
    assert_eq!(engine.next(), Step::Flush(batch));
    assert_eq!(engine.active_contexts(), [shared]);
}

#[test]
fn a_flush_in_flight_keeps_its_scope() {
    let mut engine = Engine::<Plain>::new();
    let [outer, inner] = [(); 2].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    begin_call(&mut engine, outer);
    let context = engine.enter_context(()).unwrap();
    begin_call(&mut engine, inner);
    let items = [(); 2].map(|()| engine.add_item(batch).unwrap());
    await_all(&mut engine, [items[0]]);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.defer(batch, None);
    engine.abandon();
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    engine.set_scope(None);
    await_all(&mut engine, [items[1]]);
    assert_eq!(engine.flush_scope(batch), Some(context));
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
