//! Claims: a call drives what it needs, even if it was scheduled, woken or sent in an outer call.

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Op, Program, all, any, one};
use asynq_engine::{BatchId, Dependency, Engine, PriorityRule, Step};
use expect_test::expect;

#[test]
fn a_woken_task_of_the_caller_goes_on_in_the_call_that_awaits_it() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let waiting = p.task("waiting", [one(promise)]);
    let called = p.task("called", [Op::Set(promise, Ok(1)), one(waiting)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [promise]
        calling starts
        call called
          called starts
          promise is set to 1
          called awaits [waiting]
          waiting gets [1]
          waiting returns 1
          called gets [1]
          called returns 1
        calling returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn woken_tasks_that_a_call_awaits_go_on_in_the_order_in_which_they_began_to_wait() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let [first, second] = ["first", "second"].map(|name| p.task(name, [one(promise)]));
    let leaf = p.task("leaf", []);
    let called = p.task("called", [Op::Set(promise, Ok(1)), all([leaf, second, first])]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([first, second, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second, calling]
        first starts
        first awaits [promise]
        second starts
        second awaits [promise]
        calling starts
        call called
          called starts
          promise is set to 1
          called awaits [leaf, second, first]
          first gets [1]
          first returns 1
          second gets [1]
          second returns 1
          leaf starts
          leaf returns 0
          called gets [0, 1, 1]
          called returns 2
        calling returns 2
        root gets [1, 1, 2]
        root returns 4
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn tasks_that_the_caller_woke_go_on_in_the_call_in_the_order_in_which_they_began_to_wait() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let [first, second] = ["first", "second"].map(|name| p.task(name, [one(promise)]));
    let called = p.task("called", [all([second, first])]);
    let calling = p.task("calling", [Op::Set(promise, Ok(1)), Op::Call(called)]);
    let root = p.task("root", [all([first, second, called, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second, called, calling]
        first starts
        first awaits [promise]
        second starts
        second awaits [promise]
        called starts
        called awaits [second, first]
        calling starts
        promise is set to 1
        call called
          first gets [1]
          first returns 1
          second gets [1]
          second returns 1
          called gets [1, 1]
          called returns 2
        calling returns 2
        root gets [1, 1, 2, 2]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_dependencies_of_a_blocked_task_start_in_the_order_given_in_the_call_that_needs_it() {
    let mut p = Program::new();
    let calling = p.declare("calling");
    let [early, late] = ["early", "late"].map(|name| p.task(name, []));
    let blocked = p.task("blocked", [any([calling, early, late])]);
    p.script(calling, [Op::Call(blocked)]);
    let root = p.task("root", [one(blocked)]);
    expect![[r#"
        call root
        root starts
        root awaits [blocked]
        blocked starts
        blocked awaits any of [calling, early, late]
        calling starts
        call blocked
          early starts
          early returns 0
          blocked gets [-, 0, -]
          blocked returns 0
        calling returns 0
        late starts
        late returns 0
        root gets [0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

/// An engine in a call of a call, and a batch that only the outer one awaits.
fn nested() -> (Engine<Plain>, BatchId) {
    let mut engine = Engine::new();
    let batch = engine.add_batch((), PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    let [root, calling, called] = [(); 3].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    await_all(&mut engine, [Dependency::from(item), calling.into()]);
    assert_eq!(engine.next(), Step::Run(calling));
    begin_call(&mut engine, called);
    (engine, batch)
}

#[test]
fn a_flush_task_that_a_call_named_and_does_not_need_runs_in_the_outer_call() {
    let (mut engine, batch) = nested();
    let [naming, load, leaf] = [(); 3].map(|()| engine.add_task(()));
    await_all(&mut engine, [naming, leaf]);
    assert_eq!(engine.next(), Step::Run(naming));
    engine.depend(load);
    engine.begin_flush(batch);
    engine.defer(batch, Some(load));
    engine.complete(naming);
    assert_eq!(engine.next(), Step::Run(leaf));
}

#[test]
fn a_woken_flush_task_that_a_call_needs_runs_there() {
    let (mut engine, batch) = nested();
    let promise = engine.add_promise(());
    let [load, flushing] = [(); 2].map(|()| engine.add_task(()));
    await_all(&mut engine, [load, flushing]);
    assert_eq!(engine.next(), Step::Run(load));
    await_all(&mut engine, [promise]);
    assert_eq!(engine.next(), Step::Run(flushing));
    engine.complete(promise);
    engine.begin_flush(batch);
    engine.defer(batch, Some(load));
    engine.complete(flushing);
    assert_eq!(engine.next(), Step::Run(load));
}
