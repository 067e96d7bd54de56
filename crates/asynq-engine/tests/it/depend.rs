//! Between naming a dependency and waiting for it: it may be computed, and the task may be woken.

use asynq_engine::{Engine, PriorityRule, Status, Step, Until};
use expect_test::expect;

use crate::plain::{Plain, begin_call, end_call};
use crate::sim::{Join, Op, Program, all, any, depend, one, wait};

#[test]
fn a_task_whose_dependencies_were_computed_before_it_waits_goes_first() {
    let mut p = Program::new();
    let db = p.source("db");
    let first = p.task("first", [depend(db.item(1)), Op::Flush(db), wait()]);
    let second = p.task("second", []);
    let root = p.task("root", [all([first, second])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second]
        first starts
        flush db#1(1)
        first awaits [-]
        first gets [1]
        first returns 1
        second starts
        second returns 0
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_has_one_of_its_dependencies_before_it_waits_goes_before_the_others() {
    let mut p = Program::new();
    let db = p.source("db");
    let slow = p.task("slow", []);
    let first = p.task("first", [depend(db.item(1)), Op::Flush(db), any([slow])]);
    let second = p.task("second", []);
    let root = p.task("root", [all([first, second])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second]
        first starts
        flush db#1(1)
        first awaits any of [-, slow]
        first gets [1, -]
        first returns 1
        slow starts
        slow returns 0
        second starts
        second returns 0
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_join_counts_what_was_computed_before_it_waits() {
    let mut p = Program::new();
    let [db, other] = ["db", "other"].map(|name| p.source(name));
    let first = p.task("first", [depend(db.item(1)), Op::Flush(db), one(other.item(2))]);
    let root = p.task("root", [one(first)]);
    expect![[r#"
        call root
        root starts
        root awaits [first]
        first starts
        flush db#1(1)
        first awaits [-, other#1(2)]
        flush other#1(2)
        first gets [1, 2]
        first returns 3
        root gets [3]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_woken_from_outside_goes_after_those_that_are_ready() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let woken = p.task("woken", [Op::Await(vec![promise.into()], Join::AnyOrWake(0))]);
    let waking = p.task("waking", [Op::Wake(woken)]);
    let ready = p.task("ready", []);
    let root = p.task("root", [all([woken, waking, ready])]);
    expect![[r#"
        call root
        root starts
        root awaits [woken, waking, ready]
        woken starts
        woken awaits any of [promise]
        waking starts
        waking returns 0
        ready starts
        ready returns 0
        woken gets [-]
        woken returns 0
        root gets [0, 0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_woken_while_it_runs_goes_after_those_that_are_ready() {
    let mut p = Program::new();
    let db = p.source("db");
    let woken = p.declare("woken");
    p.script(woken, [Op::Wake(woken), one(db.item(1))]);
    let ready = p.task("ready", []);
    let root = p.task("root", [all([woken, ready])]);
    expect![[r#"
        call root
        root starts
        root awaits [woken, ready]
        woken starts
        woken awaits [db#1(1)]
        ready starts
        ready returns 0
        woken gets [-]
        woken returns 0
        root gets [0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_is_woken_and_has_its_dependencies_goes_first() {
    let mut p = Program::new();
    let db = p.source("db");
    let woken = p.declare("woken");
    p.script(woken, [Op::Wake(woken), depend(db.item(1)), Op::Flush(db), wait()]);
    let ready = p.task("ready", []);
    let root = p.task("root", [all([woken, ready])]);
    expect![[r#"
        call root
        root starts
        root awaits [woken, ready]
        woken starts
        flush db#1(1)
        woken awaits [-]
        woken gets [1]
        woken returns 1
        ready starts
        ready returns 0
        root gets [1, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_is_named_and_not_awaited_does_not_run() {
    let mut p = Program::new();
    let named = p.task("named", []);
    let called = p.task("called", [depend(named)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [one(calling)]);
    expect![[r#"
        call root
        root starts
        root awaits [calling]
        calling starts
        call called
          called starts
          called returns 0
        calling returns 0
        root gets [0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn new_dependencies_start_in_the_order_in_which_they_are_named() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let known = engine.add_task(());
    let first = engine.depend_on_new(());
    engine.depend(known);
    let last = engine.depend_on_new(());
    engine.block(Until::All);
    for task in [first, known, last] {
        assert_eq!(engine.next(), Step::Run(task));
        engine.complete(task);
    }
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn a_new_dependency_is_under_the_contexts_of_the_task_that_names_it() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let context = engine.enter_context(()).unwrap();
    let inside = engine.depend_on_new(());
    engine.set_scope(None);
    let outside = engine.depend_on_new(());
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(inside));
    engine.complete(inside);
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Run(outside));
    engine.complete(outside);
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn a_new_dependency_of_no_task_is_one_that_nobody_has_asked_for() {
    let mut engine = Engine::<Plain>::new();
    let task = engine.depend_on_new(());
    assert_eq!(engine.status(task), Some(Status::New));
}

#[test]
fn the_first_ready_task_runs_at_once_unless_something_has_to_be_done_before() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    assert_eq!(engine.run_first(), None);
    begin_call(&mut engine, root);
    let first = engine.depend_on_new(());
    engine.block(Until::All);
    assert_eq!(engine.run_first(), Some((first, &())));
    engine.complete(first);
    // The root was woken.
    assert_eq!(engine.run_first(), Some((root, &())));
    let context = engine.enter_context(()).unwrap();
    let inside = engine.depend_on_new(());
    engine.set_scope(None);
    engine.block(Until::All);
    // It may be under other contexts than the one before it.
    assert_eq!(engine.run_first(), None);
    assert_eq!(engine.next(), Step::Run(inside));
    engine.complete(inside);
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn woken_tasks_run_at_once_in_the_order_in_which_they_began_to_wait() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    let batch = engine.add_batch((), PriorityRule::BySize);
    let items: Vec<_> = (0..3).map(|_| engine.add_item(batch).unwrap()).collect();
    begin_call(&mut engine, root);
    let tasks: Vec<_> = items.iter().map(|_| engine.depend_on_new(())).collect();
    engine.block(Until::All);
    for (&task, &item) in tasks.iter().zip(&items) {
        assert_eq!(engine.run_first(), Some((task, &())));
        engine.depend(item);
        engine.block(Until::All);
    }
    assert_eq!(engine.run_first(), None);
    assert_eq!(engine.next(), Step::Flush(batch));
    for &item in items.iter().rev() {
        engine.complete_item(item);
    }
    engine.close(batch);
    for &task in &tasks {
        assert_eq!(engine.run_first(), Some((task, &())));
        engine.complete(task);
    }
    assert_eq!(engine.run_first(), Some((root, &())));
    end_call(&mut engine, root);
}
