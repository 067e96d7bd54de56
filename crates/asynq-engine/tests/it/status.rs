//! Status: the states of tasks, calls and batches, for debuggers.

use crate::sim::Sim;
use asynq_engine::{Engine, PriorityRule, Status, Step, Until};

#[test]
fn a_status_for_each_state_of_a_task() {
    let mut engine = Engine::<Sim>::new();
    let batch = engine.add_batch(0, PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    let task = engine.add_task(0);
    assert_eq!(engine.status(task), Some(Status::New));
    engine.enter(task);
    assert_eq!(engine.status(task), Some(Status::Ready));
    assert_eq!(engine.next(), Step::Run(task));
    assert_eq!(engine.status(task), Some(Status::Running));
    engine.depend(item);
    engine.block(Until::All);
    assert_eq!(engine.status(task), Some(Status::Blocked));
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.close(batch);
    assert_eq!(engine.status(task), Some(Status::Ready), "woken");
    assert_eq!(engine.next(), Step::Run(task));
    engine.complete(task);
    assert_eq!(engine.status(task), None);
}

#[test]
fn a_task_in_a_call_of_its_own_runs() {
    let mut engine = Engine::<Sim>::new();
    let [outer, inner] = [(); 2].map(|()| engine.add_task(0));
    engine.enter(outer);
    assert_eq!(engine.next(), Step::Run(outer));
    engine.enter(inner);
    assert_eq!(engine.next(), Step::Run(inner));
    assert_eq!(engine.status(outer), Some(Status::Running));
}

#[test]
fn the_flush_task_of_a_batch_that_nobody_needs_does_not_start() {
    let mut engine = Engine::<Sim>::new();
    let [caller, flush_task] = [(); 2].map(|()| engine.add_task(0));
    let batch = engine.add_batch(0, PriorityRule::BySize);
    engine.add_item(batch).unwrap();
    engine.enter(caller);
    assert_eq!(engine.next(), Step::Run(caller));
    assert!(engine.begin_flush(batch));
    engine.defer(batch, Some(flush_task));
    assert_eq!(engine.status(flush_task), Some(Status::New));
}

#[test]
fn a_promise_is_not_for_the_engine_to_run() {
    let mut engine = Engine::<Sim>::new();
    let promise = engine.add_promise(0);
    assert_eq!(engine.status(promise), Some(Status::Promise));
}

#[test]
fn the_called_tasks_come_from_the_outermost_inwards() {
    let mut engine = Engine::<Sim>::new();
    let [outer, inner] = [(); 2].map(|()| engine.add_task(0));
    engine.enter(outer);
    assert_eq!(engine.next(), Step::Run(outer));
    engine.enter(inner);
    assert_eq!(engine.called().collect::<Vec<_>>(), [outer, inner]);
}

#[test]
fn what_has_not_ended_is_listed() {
    let mut engine = Engine::<Sim>::new();
    let batches = [(); 2].map(|()| engine.add_batch(0, PriorityRule::BySize));
    let tasks = [(); 2].map(|()| engine.add_task(0));
    engine.close(batches[0]);
    engine.complete(tasks[0]);
    assert_eq!(engine.batch_ids().collect::<Vec<_>>(), [batches[1]]);
    assert_eq!(engine.task_ids().collect::<Vec<_>>(), [tasks[1]]);
}

#[test]
fn a_batch_counts_its_items_until_it_is_closed() {
    let mut engine = Engine::<Sim>::new();
    let batch = engine.add_batch(0, PriorityRule::BySize);
    let items = [(); 2].map(|()| engine.add_item(batch).unwrap());
    engine.begin_flush(batch);
    engine.complete_item(items[0]);
    assert_eq!(engine.item_count(batch), 2);
    engine.close(batch);
    assert_eq!(engine.item_count(batch), 0);
}
