//! Cancelling: a task is ended from outside, whatever it is doing.

use crate::plain::{Plain, begin_call, end_call};
use crate::sim::{Flush, Join, Op, Program, all, depend, one};
use asynq_engine::{Engine, Step};
use expect_test::expect;

#[test]
fn a_blocked_task() {
    let mut p = Program::new();
    let db = p.source("db");
    let blocked = p.task("blocked", [one(db.item(1)), Op::Add(1)]);
    let waiting = p.task("waiting", [one(blocked)]);
    let cancelling = p.task("cancelling", [Op::Cancel(blocked), one(db.item(2))]);
    let root = p.task("root", [all([waiting, cancelling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, cancelling]
        waiting starts
        waiting awaits [blocked]
        blocked starts
        blocked awaits [db#1(1)]
        cancelling starts
        blocked fails: cancelled
        cancelling awaits [db#1(2)]
        waiting gets error: cancelled
        waiting fails: cancelled
        flush db#1(1, 2)
        cancelling gets [2]
        cancelling returns 2
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_was_to_start() {
    let mut p = Program::new();
    let ready = p.task("ready", [Op::Add(1)]);
    let last = p.task("last", [Op::Add(2)]);
    let cancelling = p.task("cancelling", [Op::Cancel(ready)]);
    let root = p.task("root", [all([cancelling, ready, last]), Op::Catch]);
    expect![[r#"
        call root
        root starts
        root awaits [cancelling, ready, last]
        cancelling starts
        ready fails: cancelled
        cancelling returns 0
        last starts
        last returns 2
        root gets error: cancelled
        root catches: cancelled
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_nobody_has_asked_for() {
    let mut p = Program::new();
    let new = p.task("new", [Op::Add(1)]);
    let root = p.task("root", [Op::Cancel(new), Op::Call(new), Op::Catch, one(new)]);
    expect![[r#"
        call root
        root starts
        new fails: cancelled
        call new
        root catches: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_was_woken() {
    let mut p = Program::new();
    let db = p.source("db");
    let woken = p.declare("woken");
    let cancelling = p.task("cancelling", [one(db.item(1)), Op::Cancel(woken)]);
    p.script(woken, [one(db.item(2))]);
    let root = p.task("root", [all([cancelling, woken])]);
    expect![[r#"
        call root
        root starts
        root awaits [cancelling, woken]
        cancelling starts
        cancelling awaits [db#1(1)]
        woken starts
        woken awaits [db#1(2)]
        flush db#1(1, 2)
        cancelling gets [1]
        woken fails: cancelled
        cancelling returns 1
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_task_that_runs() {
    let mut p = Program::new();
    let running = p.declare("running");
    p.script(running, [Op::Cancel(running), Op::Add(1)]);
    let root = p.task("root", [one(running)]);
    expect![[r#"
        call root
        root starts
        root awaits [running]
        running starts
        running fails: cancelled
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_runs_in_an_outer_call() {
    let mut p = Program::new();
    let db = p.source("db");
    let calling = p.declare("calling");
    let called = p.task("called", [Op::Cancel(calling), one(db.item(1))]);
    p.script(calling, [Op::Call(called), one(db.item(2))]);
    let root = p.task("root", [one(calling)]);
    expect![[r#"
        call root
        root starts
        root awaits [calling]
        calling starts
        call called
          called starts
          calling fails: cancelled
          called awaits [db#1(1)]
          flush db#1(1)
          called gets [1]
          called returns 1
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_was_ended_in_a_call_of_its_own_needs_no_other_end() {
    let mut engine = Engine::<Plain>::new();
    let (calling, called) = (engine.add_task(()), engine.add_task(()));
    begin_call(&mut engine, calling);
    begin_call(&mut engine, called);
    engine.complete(calling);
    end_call(&mut engine, called);
    assert_eq!(engine.running(), None);
    assert_eq!(engine.next(), Step::Done);
}

#[test]
fn the_called_task_from_inside_the_call() {
    let mut p = Program::new();
    let db = p.source("db");
    let called = p.declare("called");
    let leaf = p.task("leaf", [Op::Cancel(called), one(db.item(1))]);
    p.script(called, [one(leaf)]);
    let root = p.task("root", [Op::Call(called), Op::Catch, one(leaf)]);
    expect![[r#"
        call root
        root starts
        call called
          called starts
          called awaits [leaf]
          leaf starts
          called fails: cancelled
          leaf awaits [db#1(1)]
        root catches: cancelled
        root awaits [leaf]
        flush db#1(1)
        leaf gets [1]
        leaf returns 1
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_a_cancelled_task_awaited_goes_on() {
    let mut p = Program::new();
    let db = p.source("db");
    let leaf = p.task("leaf", [one(db.item(1)), one(db.item(2))]);
    let blocked = p.task("blocked", [one(leaf)]);
    let cancelling = p.task("cancelling", [Op::Cancel(blocked), all([db.item(3), db.item(4)])]);
    let root = p.task("root", [all([blocked, cancelling]), Op::Catch, one(leaf)]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked, cancelling]
        blocked starts
        blocked awaits [leaf]
        leaf starts
        leaf awaits [db#1(1)]
        cancelling starts
        blocked fails: cancelled
        cancelling awaits [db#1(3), db#1(4)]
        flush db#1(1, 3, 4)
        leaf gets [1]
        leaf awaits [db#2(2)]
        cancelling gets [3, 4]
        cancelling returns 7
        root gets error: cancelled
        root catches: cancelled
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
fn a_task_that_carries_a_flush() {
    let mut p = Program::new();
    let db = p.source("db");
    let promise = p.promise("promise");
    let load = p.declare("load");
    let flush_task = p.task("flush", [one(load)]);
    p.script(load, [one(promise)]);
    p.flush(db, Flush::Carried(flush_task));
    let cancelling = p.source("cancelling");
    p.priority(cancelling, [-1]);
    let canceller = p.task("canceller", [one(cancelling.item(2)), Op::Cancel(load)]);
    let waiting = p.task("waiting", [one(db.item(1))]);
    let root = p.task("root", [all([waiting, canceller])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, canceller]
        waiting starts
        waiting awaits [db#1(1)]
        canceller starts
        canceller awaits [cancelling#1(2)]
        flush db#1(1)
        flush[db#1] starts
        flush[db#1] awaits [load]
        load starts
        load awaits [promise]
        flush cancelling#1(2)
        canceller gets [2]
        load fails: cancelled
        canceller returns 2
        flush[db#1] gets error: cancelled
        flush[db#1] fails: cancelled
        db#1 lands
        waiting gets error: cancelled
        waiting fails: cancelled
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_waited_for_a_wake_up_is_not_waited_for() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let sleeping = p.task("sleeping", [Op::Await(vec![promise.into()], Join::AnyOrWake(0))]);
    let cancelling = p.task("cancelling", [Op::Cancel(sleeping), one(promise)]);
    let root = p.task("root", [all([sleeping, cancelling])]);
    expect![[r#"
        call root
        root starts
        root awaits [sleeping, cancelling]
        sleeping starts
        sleeping awaits any of [promise]
        cancelling starts
        sleeping fails: cancelled
        cancelling awaits [promise]
        deadlock: root waits for [cancelling], cancelling waits for [promise]; fails: [cancelling]
        cancelling gets error: deadlock
        cancelling fails: deadlock
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_contexts_of_a_cancelled_task_are_paused_and_not_resumed() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let blocked = p.declare("blocked");
    let leaf = p.task("leaf", [Op::Cancel(blocked), one(db.item(1))]);
    p.script(blocked, [Op::Enter(context), one(leaf)]);
    let root = p.task("root", [one(blocked), Op::Catch, one(leaf)]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked]
        blocked starts
        context resumes
        blocked awaits [leaf]
        leaf starts under context
        blocked fails: cancelled
        leaf awaits [db#1(1)]
        context pauses
        root gets error: cancelled
        root catches: cancelled
        root awaits [leaf]
        flush db#1(1)
        leaf gets [1]
        leaf returns 1
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_contexts_of_a_cancelled_caller_stay_active_until_the_call_returns() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    let calling = p.declare("calling");
    let called = p.task("called", [Op::Cancel(calling), one(db.item(1))]);
    p.script(calling, [Op::Enter(context), Op::Call(called), one(db.item(2))]);
    let root = p.task("root", [one(calling)]);
    expect![[r#"
        call root
        root starts
        root awaits [calling]
        calling starts
        context resumes
        call called
          called starts under context
          calling fails: cancelled
          called awaits [db#1(1)]
          flush db#1(1)
          called gets [1] under context
          called returns 1
        context pauses
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_contexts_of_a_task_that_its_own_flush_cancels_are_left() {
    let mut p = Program::new();
    let db = p.source("db");
    let context = p.context("context");
    p.keep_out_of_flushes(context);
    let flushing = p.declare("flushing");
    let called = p.task("called", [Op::Cancel(flushing)]);
    p.flush(db, Flush::Calls(called));
    p.script(flushing, [Op::Enter(context), depend(db.item(1)), Op::Flush(db)]);
    expect![[r#"
        call flushing
        flushing starts
        context resumes
        context pauses
        flush db#1(1)
        call called[db#1]
          called[db#1] starts
          flushing fails: cancelled
          called[db#1] returns 0
    "#]]
    .assert_eq(&p.log(flushing));
}

#[test]
fn what_lands_for_a_cancelled_task_wakes_nobody() {
    let mut p = Program::new();
    let [slow, later, db] = ["slow", "later", "db"].map(|name| p.source(name));
    p.flush(slow, Flush::Later(1));
    p.flush(later, Flush::Later(2));
    let waiting = p.task("waiting", [one(slow.item(1))]);
    let staying = p.task("staying", [one(later.item(2))]);
    let cancelling = p.task("cancelling", [one(db.item(3)), Op::Cancel(waiting)]);
    let root = p.task("root", [all([waiting, staying, cancelling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, staying, cancelling]
        waiting starts
        waiting awaits [slow#1(1)]
        staying starts
        staying awaits [later#1(2)]
        cancelling starts
        cancelling awaits [db#1(3)]
        flush slow#1(1)
        flush later#1(2)
        flush db#1(3)
        cancelling gets [3]
        waiting fails: cancelled
        cancelling returns 3
        wait
        slow#1 lands
        wait
        later#1 lands
        staying gets [2]
        staying returns 2
        root gets error: cancelled
        root fails: cancelled
    "#]]
    .assert_eq(&p.log(root));
}
