//! Flushes and contexts: a flush is under what is common to everybody who waits for it.

use asynq_engine::{Engine, PriorityRule, Step};
use expect_test::expect;

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{ContextRef, Flush, Op, Program, SourceRef, TaskRef, all, one};

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
fn nothing_is_common_while_nobody_waits_for_an_item_of_an_unknown_asker() {
    for second_is_awaited in [false, true] {
        let mut engine = Engine::<Plain>::new();
        let root = engine.add_task(());
        let batch = engine.add_batch((), PriorityRule::BySize);
        engine.add_for_others(batch);
        begin_call(&mut engine, root);
        let context = engine.enter_context(()).unwrap();
        let [first, second] = [(); 2].map(|()| engine.add_item(batch).unwrap());
        await_all(&mut engine, [first].into_iter().chain(second_is_awaited.then_some(second)));
        if !second_is_awaited {
            assert_eq!(engine.next(), Step::Pause(context));
        }
        assert_eq!(engine.next(), Step::Flush(batch));
    }
}

/// A flush calls a task of somebody else, which waits for the batch that is being flushed.
#[test]
fn who_awaits_an_item_during_its_flush_counts_for_what_the_flush_task_asks_for() {
    let mut engine = Engine::<Plain>::new();
    let [root, first, second, load] = [(); 4].map(|()| engine.add_task(()));
    let promise = engine.add_promise(());
    let [db, config] = [(); 2].map(|()| engine.add_batch((), PriorityRule::BySize));
    begin_call(&mut engine, root);
    await_all(&mut engine, [second, first]);
    assert_eq!(engine.next(), Step::Run(second));
    await_all(&mut engine, [promise]);
    assert_eq!(engine.next(), Step::Run(first));
    let context = engine.enter_context(()).unwrap();
    let item = engine.add_item(db).unwrap();
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Flush(db));

    engine.complete(promise);
    engine.enter(second);
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Run(second));
    await_all(&mut engine, [item]);
    assert!(matches!(engine.next(), Step::Deadlock(_)));
    engine.abandon();
    assert_eq!(engine.next(), Step::Resume(context));
    assert_eq!(engine.next(), Step::Done);
    engine.exit();

    engine.defer(db, Some(load));
    assert_eq!(engine.next(), Step::Run(load));
    let key = engine.add_item(config).unwrap();
    await_all(&mut engine, [key]);
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Flush(config));
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
