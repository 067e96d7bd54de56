//! Inline starts: nobody can tell them from starts by the engine.

use asynq_engine::{Engine, PriorityRule, Step, Until};

use crate::plain::{Plain, await_all, begin_call, end_call};

#[test]
fn a_task_that_ends_where_it_is_started_leaves_nothing_to_wait_for() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    assert!(engine.can_start_inline());
    assert_eq!(engine.task_count(), 1);
    end_call(&mut engine, root);
}

#[test]
fn tasks_that_wait_go_on_in_the_order_in_which_they_began_to() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let batch = engine.add_batch((), PriorityRule::BySize);
    let items = [engine.add_item(batch).unwrap(), engine.add_item(batch).unwrap()];
    let first = engine.add_blocked((), &[items[1].into()]);
    let second = engine.add_blocked((), &[items[0].into()]);
    await_all(&mut engine, [first, second]);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.close(batch);
    assert_eq!(engine.next(), Step::Run(first));
    engine.complete(first);
    assert_eq!(engine.next(), Step::Run(second));
    engine.complete(second);
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn a_task_that_waits_for_one_that_waits_goes_on_after_it() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let batch = engine.add_batch((), PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    let inner = engine.add_blocked((), &[item.into()]);
    let outer = engine.add_blocked((), &[inner.into()]);
    await_all(&mut engine, [outer]);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.close(batch);
    assert_eq!(engine.next(), Step::Run(inner));
    engine.complete(inner);
    assert_eq!(engine.next(), Step::Run(outer));
    engine.complete(outer);
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn a_started_task_goes_on_as_if_the_engine_had_started_it() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let started = engine.add_started(());
    let next = engine.add_task(());
    await_all(&mut engine, [started, next]);
    engine.go_on(started);
    let called = engine.add_task(());
    begin_call(&mut engine, called);
    end_call(&mut engine, called);
    let last = engine.add_task(());
    await_all(&mut engine, [last]);
    assert_eq!(engine.next(), Step::Run(last));
    engine.complete(last);
    assert_eq!(engine.next(), Step::Run(started));
    engine.complete(started);
    assert_eq!(engine.next(), Step::Run(next));
    engine.complete(next);
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn a_task_goes_on_after_those_that_it_has_woken() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let promise = engine.add_promise(());
    let (waiting, waking) = (engine.add_task(()), engine.add_task(()));
    await_all(&mut engine, [waiting, waking]);
    assert_eq!(engine.next(), Step::Run(waiting));
    await_all(&mut engine, [promise]);
    assert_eq!(engine.next(), Step::Run(waking));
    engine.complete(promise);
    assert!(!engine.can_start_inline());
    engine.requeue();
    assert_eq!(engine.next(), Step::Run(waiting));
    engine.complete(waiting);
    assert_eq!(engine.next(), Step::Run(waking));
    engine.complete(waking);
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn tasks_start_inline_only_in_a_task_without_contexts_and_listeners() {
    let mut engine = Engine::<Plain>::new();
    assert!(!engine.can_start_inline());
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    engine.listen(true);
    assert!(!engine.can_start_inline());
    engine.listen(false);
    let context = engine.enter_context(()).unwrap();
    assert!(!engine.can_start_inline());
    engine.leave_context(context);
    assert!(engine.can_start_inline());
    engine.block(Until::All);
    assert!(!engine.can_start_inline());
    engine.complete(root);
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
}
