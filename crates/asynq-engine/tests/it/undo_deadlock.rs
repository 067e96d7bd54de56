//! Deadlocks in a call that drives several things at once, and whose root is completed from
//! outside.

use std::iter;

use asynq_engine::{Deadlock, Dependency, Engine, Event, PriorityRule, Step, TaskId, Until};

use crate::plain::{Plain, await_all};

/// A call of a promise that drives `task` as well, which runs now.
fn drive(engine: &mut Engine<Plain>, task: TaskId) {
    let root = engine.add_promise(());
    engine.enter(root);
    engine.need(task);
    assert_eq!(engine.next(), Step::Run(task));
}

/// An engine that drives a task, which waits for two others. The first of them runs now.
fn drive_two() -> (Engine<Plain>, [TaskId; 3]) {
    let mut engine = Engine::new();
    let [task, first, second] = [(); 3].map(|()| engine.add_task(()));
    drive(&mut engine, task);
    await_all(&mut engine, [first, second]);
    assert_eq!(engine.next(), Step::Run(first));
    (engine, [task, first, second])
}

/// Nothing can be done for the call as a whole, which leaves it open for whom.
fn assert_stuck(engine: &mut Engine<Plain>) {
    let report = Deadlock { victims: Vec::new(), waits: Vec::new() };
    assert_eq!(engine.next(), Step::Deadlock(Box::new(report)));
}

#[test]
fn a_task_that_closes_a_circle_is_the_victim_and_runs_next() {
    let mut engine = Engine::new();
    let [task, stuck] = [(); 2].map(|()| engine.add_task(()));
    drive(&mut engine, task);
    await_all(&mut engine, [stuck]);
    assert_eq!(engine.next(), Step::Run(stuck));
    await_all(&mut engine, [task]);
    assert_stuck(&mut engine);
    let report = engine.undo_deadlock(task);
    assert_eq!(report.victims, [stuck]);
    assert_eq!(report.waits, [(task, vec![stuck.into()]), (stuck, vec![task.into()])]);
    assert_eq!(engine.next(), Step::Run(stuck));
}

#[test]
fn a_task_that_waits_for_nothing_is_the_victim() {
    let mut engine = Engine::new();
    let task = engine.add_task(());
    drive(&mut engine, task);
    engine.block(Until::All);
    assert_stuck(&mut engine);
    assert_eq!(engine.undo_deadlock(task).victims, [task]);
    assert_eq!(engine.next(), Step::Run(task));
}

#[test]
fn a_task_that_waits_for_nothing_goes_before_one_that_closes_a_circle() {
    let (mut engine, [task, first, second]) = drive_two();
    await_all(&mut engine, [task]);
    assert_eq!(engine.next(), Step::Run(second));
    engine.block(Until::All);
    assert_stuck(&mut engine);
    assert_eq!(engine.undo_deadlock(task).victims, [second]);
    assert_eq!(engine.next(), Step::Run(second));
    assert!(!engine.is_computed(first.into()));
}

#[test]
fn a_task_that_waits_for_a_promise_is_no_victim() {
    let mut engine = Engine::new();
    let promise = engine.add_promise(());
    let task = engine.add_task(());
    drive(&mut engine, task);
    await_all(&mut engine, [promise]);
    assert_stuck(&mut engine);
    let report = engine.undo_deadlock(task);
    assert_eq!((report.victims, report.waits), (vec![], vec![(task, vec![promise.into()])]));
    assert_stuck(&mut engine);
}

#[test]
fn nobody_is_a_victim_while_a_promise_could_undo_the_circle() {
    let (mut engine, [task, _, second]) = drive_two();
    let promise = engine.add_promise(());
    await_all(&mut engine, [task]);
    assert_eq!(engine.next(), Step::Run(second));
    await_all(&mut engine, [promise]);
    assert_stuck(&mut engine);
    assert_eq!(engine.undo_deadlock(task).victims, []);
    assert_stuck(&mut engine);
}

#[test]
fn nobody_is_a_victim_while_a_promise_could_help_a_task_beside_one_that_waits_for_nothing() {
    let (mut engine, [task, _, second]) = drive_two();
    let promise = engine.add_promise(());
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(second));
    await_all(&mut engine, [promise]);
    assert_stuck(&mut engine);
    assert_eq!(engine.undo_deadlock(task).victims, []);
    assert_stuck(&mut engine);
}

#[test]
fn the_search_goes_on_behind_the_flush_task_of_an_item() {
    let mut engine = Engine::new();
    let [task, load] = [(); 2].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    drive(&mut engine, task);
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.defer(batch, Some(load));
    assert_eq!(engine.next(), Step::Run(load));
    engine.block(Until::All);
    assert_stuck(&mut engine);
    let report = engine.undo_deadlock(item);
    assert_eq!(report.victims, [load]);
    assert_eq!(report.waits, [(load, Vec::<Dependency>::new())]);
    assert_eq!(engine.next(), Step::Run(load));
}

#[test]
fn a_flush_that_is_in_flight_could_still_help() {
    let mut engine = Engine::new();
    let task = engine.add_task(());
    let batch = engine.add_batch((), PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    drive(&mut engine, task);
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.defer(batch, None);
    assert_eq!(engine.next(), Step::Wait);
    assert_eq!(engine.undo_deadlock(task).victims, []);
    assert_eq!(engine.next(), Step::Wait);
}

#[test]
fn a_victim_runs_after_what_is_ready() {
    let mut engine = Engine::new();
    let [task, late] = [(); 2].map(|()| engine.add_task(()));
    drive(&mut engine, task);
    engine.block(Until::All);
    assert_stuck(&mut engine);
    engine.need(late);
    engine.undo_deadlock(task);
    assert_eq!(engine.next(), Step::Run(late));
    engine.complete(late);
    assert_eq!(engine.next(), Step::Run(task));
}

#[test]
fn only_a_deadlock_with_victims_is_an_event() {
    let mut engine = Engine::new();
    let [task, stuck] = [(); 2].map(|()| engine.add_task(()));
    let promise = engine.add_promise(());
    engine.listen(true);
    drive(&mut engine, task);
    await_all(&mut engine, [promise]);
    engine.need(stuck);
    assert_eq!(engine.next(), Step::Run(stuck));
    engine.block(Until::All);
    assert_stuck(&mut engine);
    engine.undo_deadlock(task);
    engine.undo_deadlock(stuck);
    let events = iter::from_fn(|| engine.poll_event());
    let deadlocks: Vec<_> = events.filter(|e| matches!(e, Event::Deadlocked(_))).collect();
    assert_eq!(deadlocks, [Event::Deadlocked(vec![stuck])]);
}
