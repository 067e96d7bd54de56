//! The scope of a batch: what is common to everybody who waits for it.

use asynq_engine::{Engine, PriorityRule, Step};

use crate::plain::{Plain, await_all, begin_call};

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
