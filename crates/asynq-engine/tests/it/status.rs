//! Status: the states of tasks, calls, batches and contexts, for front ends and debuggers.

use asynq_engine::{Engine, PriorityRule, Status, Step, Until};

use crate::plain::{Plain, await_all, begin_call, end_call};
use crate::sim::Sim;

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

#[test]
fn a_call_drives_what_it_needs_and_nothing_of_the_call_around_it() {
    let mut engine = Engine::<Plain>::new();
    let [root, other, calling, called] = [(); 4].map(|()| engine.add_task(()));
    let items = [(); 2].map(|()| {
        let batch = engine.add_batch((), PriorityRule::BySize);
        engine.add_item(batch).unwrap()
    });
    begin_call(&mut engine, root);
    await_all(&mut engine, [other, calling]);
    assert_eq!(engine.next(), Step::Run(other));
    await_all(&mut engine, [items[0]]);
    assert_eq!(engine.next(), Step::Run(calling));
    let driven = |engine: &Engine<Plain>| items.map(|item| engine.is_driven(item.into()));
    assert_eq!(driven(&engine), [true, false], "nobody waits for the second");
    begin_call(&mut engine, called);
    await_all(&mut engine, [items[1]]);
    assert_eq!(driven(&engine), [false, true]);
    assert!(!engine.is_driven(other.into()));
    assert!(engine.is_driven(called.into()));
    assert_eq!(engine.next(), Step::Flush(items[1].batch));
    engine.close(items[1].batch);
    assert_eq!(engine.next(), Step::Run(called));
    end_call(&mut engine, called);
    assert_eq!(driven(&engine), [true, false]);
    assert!(engine.is_driven(other.into()));
    assert!(!engine.is_driven(called.into()), "it has ended");
}

#[test]
fn a_new_task_is_driven_once_another_waits_for_it() {
    let mut engine = Engine::<Plain>::new();
    let [root, child] = [(); 2].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    engine.depend(child);
    assert!(!engine.is_driven(child.into()));
    engine.block(Until::All);
    assert!(engine.is_driven(child.into()));
}

#[test]
fn a_running_task_is_woken_until_it_runs_again() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    assert!(!engine.is_woken());
    engine.wake(root);
    assert!(engine.is_woken());
    engine.block(Until::AnyOrWake);
    assert_eq!(engine.next(), Step::Run(root));
    assert!(!engine.is_woken());
}

#[test]
fn a_context_is_in_a_call_while_its_task_makes_one() {
    let mut engine = Engine::<Plain>::new();
    let [root, outer, inner] = [(); 3].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    let waiting = engine.enter_context(()).unwrap();
    await_all(&mut engine, [outer]);
    assert_eq!(engine.next(), Step::Run(outer));
    let callers = engine.enter_context(()).unwrap();
    let in_call =
        |engine: &Engine<Plain>| [waiting, callers].map(|context| engine.is_in_call(context));
    assert_eq!(in_call(&engine), [false, false]);
    begin_call(&mut engine, inner);
    let own = engine.enter_context(()).unwrap();
    assert_eq!(in_call(&engine), [false, true]);
    assert!(!engine.is_in_call(own));
    engine.leave_context(own);
    end_call(&mut engine, inner);
    assert_eq!(in_call(&engine), [false, false]);
}

#[test]
fn the_tasks_that_a_task_waits_for_are_found_behind_tasks_and_flushes() {
    let mut engine = Engine::<Plain>::new();
    let [root, middle, flush, last, other] = [(); 5].map(|()| engine.add_task(()));
    let batch = engine.add_batch((), PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    begin_call(&mut engine, root);
    await_all(&mut engine, [middle]);
    assert_eq!(engine.next(), Step::Run(middle));
    await_all(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.defer(batch, Some(flush));
    assert_eq!(engine.next(), Step::Run(flush));
    await_all(&mut engine, [last]);
    assert_eq!(engine.next(), Step::Run(last));
    let mut seen = Vec::new();
    let found = engine.find_awaited(root, |task| {
        seen.push(task);
        task == last
    });
    assert_eq!((found, seen), (Some(last), vec![middle, flush, last]));
    assert_eq!(engine.find_awaited(root, |task| task == other), None);
    assert_eq!(engine.find_awaited(last, |_| true), None, "it runs");
}
