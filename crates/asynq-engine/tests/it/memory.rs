//! Memory: what has ended leaves none behind, and small calls take none.

use allocation_counter::{AllocationInfo, measure};
use asynq_engine::{Engine, PriorityRule, Step, Until};

use crate::plain::{Plain, await_all, begin_call, end_call};

/// Entries in a list of this length take more room than [`KEPT`].
const LONG: usize = if cfg!(miri) { 100 } else { 1_000_000 };

/// Bytes that an empty list may keep: 2¹⁶ entries, with room to spare.
const KEPT: i64 = 2 << 20;

/// Measures what a second use of an engine takes, when everything has its size.
fn second_time(mut act: impl FnMut(&mut Engine<Plain>)) -> AllocationInfo {
    let mut engine = Engine::new();
    act(&mut engine);
    measure(|| act(&mut engine))
}

/// Measures what an engine holds after `act`.
fn held(act: impl FnOnce(&mut Engine<Plain>)) -> i64 {
    let mut engine = None;
    let info = measure(|| act(engine.insert(Engine::new())));
    info.bytes_current
}

#[test]
fn a_call_of_one_task_takes_none() {
    let info = second_time(|engine| {
        let root = engine.add_task(());
        begin_call(engine, root);
        end_call(engine, root);
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn awaiting_one_task_takes_none() {
    let info = second_time(|engine| {
        let [root, leaf] = [(); 2].map(|()| engine.add_task(()));
        begin_call(engine, root);
        await_all(engine, [leaf]);
        assert_eq!(engine.next(), Step::Run(leaf));
        engine.complete(leaf);
        assert_eq!(engine.next(), Step::Run(root));
        end_call(engine, root);
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn waiting_for_a_wake_up_takes_none() {
    let info = second_time(|engine| {
        let root = engine.add_task(());
        begin_call(engine, root);
        engine.block(Until::AnyOrWake);
        engine.wake(root);
        assert_eq!(engine.next(), Step::Run(root));
        end_call(engine, root);
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_flush_of_one_batch_takes_none() {
    let info = second_time(|engine| {
        let root = engine.add_task(());
        let batch = engine.add_batch((), PriorityRule::BySize);
        let item = engine.add_item(batch).unwrap();
        begin_call(engine, root);
        await_all(engine, [item]);
        assert_eq!(engine.next(), Step::Flush(batch));
        engine.close(batch);
        assert_eq!(engine.next(), Step::Run(root));
        end_call(engine, root);
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_wait_that_replaces_one_of_the_same_task_takes_none() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    let promise = engine.add_promise(());
    begin_call(&mut engine, root);
    let mut wait = || {
        engine.depend(promise);
        engine.block(Until::AnyOrWake);
        engine.wake(root);
        assert_eq!(engine.next(), Step::Run(root));
    };
    wait();
    let info = measure(|| (0..10).for_each(|_| wait()));
    assert_eq!(info.count_total, 0);
}

#[test]
fn waiting_again_and_again_for_the_same_thing_takes_no_more() {
    let mut engine = Engine::<Plain>::new();
    let [root, other] = [(); 2].map(|()| engine.add_task(()));
    let promise = engine.add_promise(());
    begin_call(&mut engine, root);
    engine.depend(other);
    engine.depend(promise);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(other));
    let info = measure(|| {
        for _ in 0..=LONG / 1_000 {
            engine.depend(promise);
            engine.block(Until::AnyOrWake);
            engine.wake(other);
            assert_eq!(engine.next(), Step::Run(other));
        }
    });
    assert!(info.bytes_current < 1_000, "{info:?}");
}

#[test]
fn waiting_again_and_again_for_the_same_item_takes_no_more() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    let batch = engine.add_batch((), PriorityRule::BySize);
    let items = [(); 2].map(|()| engine.add_item(batch).unwrap());
    begin_call(&mut engine, root);
    let info = measure(|| {
        for index in 0..=LONG / 1_000 {
            engine.depend(items[index % 2]);
            engine.block(Until::AnyOrWake);
            engine.wake(root);
            assert_eq!(engine.next(), Step::Run(root));
        }
    });
    assert!(info.bytes_current < 1_000, "{info:?}");
    await_all(&mut engine, items);
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.complete_item(items[0]);
    engine.close(batch);
    assert_eq!(engine.next(), Step::Run(root));
    end_call(&mut engine, root);
}

#[test]
fn a_long_list_of_ready_tasks_gives_its_room_back() {
    let held = held(|engine| {
        let [root, ready] = [(); 2].map(|()| engine.add_task(()));
        begin_call(engine, root);
        (0..LONG).for_each(|_| engine.need(ready));
        end_call(engine, root);
    });
    assert!(held < KEPT, "{held} bytes");
}

#[test]
fn a_long_list_of_dependencies_gives_its_room_back() {
    let held = held(|engine| {
        let root = engine.add_task(());
        let promise = engine.add_promise(());
        begin_call(engine, root);
        (0..LONG).for_each(|_| assert!(engine.depend(promise)));
        end_call(engine, root);
    });
    assert!(held < KEPT, "{held} bytes");
}

#[test]
fn a_long_list_of_items_gives_its_room_back() {
    let held = held(|engine| {
        let batch = engine.add_batch((), PriorityRule::BySize);
        (0..LONG).for_each(|_| assert!(engine.add_item(batch).is_some()));
        engine.close(batch);
    });
    assert!(held < KEPT, "{held} bytes");
}

/// Has many tasks wait, and wakes an equal part of them at each of `steps` steps.
fn wake_many(engine: &mut Engine<Plain>, steps: usize) {
    let root = engine.add_task(());
    begin_call(engine, root);
    let promises: Vec<_> = (0..steps).map(|_| engine.add_promise(())).collect();
    let tasks: Vec<_> = (0..LONG / 5).map(|_| engine.add_task(())).collect();
    await_all(engine, tasks.iter().copied());
    for (index, &task) in tasks.iter().enumerate() {
        assert_eq!(engine.next(), Step::Run(task));
        await_all(engine, [promises[index % steps]]);
    }
    for promise in promises {
        engine.complete(promise);
        let Step::Run(task) = engine.next() else { panic!("some are woken") };
        engine.complete(task);
    }
    while !engine.is_computed(root.into()) {
        let Step::Run(task) = engine.next() else { panic!("the others are ready") };
        engine.complete(task);
    }
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
}

#[test]
fn a_long_list_of_woken_tasks_gives_its_room_back() {
    let all_at_once = held(|engine| wake_many(engine, 1));
    let by_and_by = held(|engine| wake_many(engine, 10));
    assert!(all_at_once < by_and_by + KEPT, "{all_at_once} and {by_and_by} bytes");
}

#[test]
fn ready_tasks_that_no_call_needs_are_in_no_list() {
    let info = second_time(|engine| {
        for _ in 0..100 {
            let [root, left] = [(); 2].map(|()| engine.add_task(()));
            begin_call(engine, root);
            engine.depend(left);
            engine.block(Until::All);
            assert_eq!(engine.next(), Step::Run(left));
            engine.block(Until::AnyOrWake);
            engine.wake(left);
            engine.complete(root);
            assert_eq!(engine.next(), Step::Done);
            engine.exit();
            engine.complete(left);
        }
    });
    assert_eq!(info.bytes_current, 0);
}
