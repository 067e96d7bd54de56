//! Priorities: an answer of the front end counts for one choice.

use asynq_engine::{BatchId, Engine, Event, ItemId, PriorityRule, Step, TaskId, Until};

use crate::plain::{Plain, await_all, begin_call, end_call};

/// An engine with two batches whose priorities the front end gives, and an item of each.
fn two_batches() -> (Engine<Plain>, [BatchId; 2], [ItemId; 2]) {
    let mut engine = Engine::new();
    let batches = [(); 2].map(|()| engine.add_batch((), PriorityRule::Ask));
    let items = batches.map(|batch| engine.add_item(batch).unwrap());
    (engine, batches, items)
}

/// Gives both batches the same priority, in whatever order the engine asks.
fn answer_both(engine: &mut Engine<Plain>) {
    for _ in 0..2 {
        let Step::Priority(batch) = engine.next() else { panic!("it asks for two priorities") };
        engine.set_priority(batch, (0, 1));
    }
}

fn call_and_await(engine: &mut Engine<Plain>, items: impl IntoIterator<Item = ItemId>) -> TaskId {
    let root = engine.add_task(());
    begin_call(engine, root);
    await_all(engine, items);
    root
}

#[test]
fn the_engine_asks_again_after_a_flush_that_wakes_nobody() {
    let (mut engine, [first, second], items) = two_batches();
    call_and_await(&mut engine, items);
    answer_both(&mut engine);
    assert_eq!(engine.next(), Step::Flush(first));
    engine.defer(first, None);
    assert_eq!(engine.next(), Step::Priority(second));
}

#[test]
fn the_engine_asks_again_after_a_flush_out_of_turn() {
    let (mut engine, [first, second], items) = two_batches();
    call_and_await(&mut engine, items);
    answer_both(&mut engine);
    engine.begin_flush(first);
    engine.defer(first, None);
    assert_eq!(engine.next(), Step::Priority(second));
}

#[test]
fn the_engine_asks_again_after_a_task_ran() {
    let (mut engine, batches, items) = two_batches();
    let root = call_and_await(&mut engine, items);
    answer_both(&mut engine);
    engine.interrupt(root);
    assert_eq!(engine.next(), Step::Run(root));
    await_all(&mut engine, items);
    let Step::Priority(batch) = engine.next() else { panic!("it asks again") };
    assert!(batches.contains(&batch));
}

#[test]
fn the_engine_asks_again_after_a_call_that_had_asked() {
    let (mut engine, [first, second], items) = two_batches();
    let [root, called] = [(); 2].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    begin_call(&mut engine, called);
    await_all(&mut engine, items);
    answer_both(&mut engine);
    end_call(&mut engine, called);
    await_all(&mut engine, items);
    let Step::Priority(batch) = engine.next() else { panic!("it asks again") };
    assert!([first, second].contains(&batch));
}

#[test]
fn batches_that_a_call_has_left_behind_keep_their_order() {
    let mut engine = Engine::<Plain>::new();
    let [one, two, three] = [(); 3].map(|()| engine.add_batch((), PriorityRule::BySize));
    let [root, called] = [(); 2].map(|()| engine.add_task(()));
    let mut items = vec![engine.add_item(one).unwrap()];
    items.extend([(); 2].map(|()| engine.add_item(two).unwrap()));
    items.extend([(); 3].map(|()| engine.add_item(three).unwrap()));
    begin_call(&mut engine, root);
    begin_call(&mut engine, called);
    await_all(&mut engine, items.clone());
    assert_eq!(engine.next(), Step::Flush(three));
    end_call(&mut engine, called);
    engine.close(three);
    await_all(&mut engine, items);
    assert_eq!(engine.next(), Step::Flush(two));
    engine.close(two);
    assert_eq!(engine.next(), Step::Flush(one));
}

#[test]
fn a_batch_that_nobody_needs_any_more_is_not_flushed_by_the_next_call() {
    let mut engine = Engine::<Plain>::new();
    let batches = [(); 2].map(|()| engine.add_batch((), PriorityRule::BySize));
    let items = batches.map(|batch| engine.add_item(batch).unwrap());
    call_and_await(&mut engine, items);
    assert_eq!(engine.next(), Step::Flush(batches[0]));
    engine.abandon();
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    engine.close(batches[0]);

    let root = engine.add_task(());
    let promise = engine.add_promise(());
    begin_call(&mut engine, root);
    await_all(&mut engine, [promise]);
    assert!(matches!(engine.next(), Step::Deadlock(_)));
    assert!(!engine.is_flushed(batches[1]));
}

/// A priority given before a call counts for nothing in the queue of that call.
#[test]
fn a_batch_that_a_call_took_over_is_flushed_once_after_a_flush_out_of_turn() {
    let mut engine = Engine::<Plain>::new();
    let [taken, other, third] = [(); 3].map(|()| engine.add_batch((), PriorityRule::Ask));
    let items = [taken, other, third].map(|batch| engine.add_item(batch).unwrap());
    let [root, called] = [(); 2].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    await_all(&mut engine, items);
    for _ in 0..3 {
        let Step::Priority(batch) = engine.next() else { panic!("it asks") };
        engine.set_priority(batch, (0, 0));
    }
    begin_call(&mut engine, called);
    await_all(&mut engine, [items[0]]);
    assert_eq!(engine.next(), Step::Priority(taken));
    engine.set_priority(taken, (0, 0));
    assert!(engine.begin_flush(other));
    engine.close(other);
    assert_eq!(engine.next(), Step::Flush(taken));
    engine.close(taken);
    assert_eq!(engine.next(), Step::Run(called));
    engine.block(Until::AnyOrWake);
    assert_eq!(engine.next(), Step::Wait);
}

#[test]
fn a_priority_counts_until_the_batch_has_grown() {
    let mut engine = Engine::<Plain>::new();
    let [first, second] = [(); 2].map(|()| engine.add_batch((), PriorityRule::AskWhenGrown));
    let items = [first, second].map(|batch| engine.add_item(batch).unwrap());
    call_and_await(&mut engine, items);
    for _ in 0..2 {
        let Step::Priority(batch) = engine.next() else { panic!("it asks") };
        engine.set_priority(batch, (0, 1));
    }
    engine.add_item(second).unwrap();
    assert_eq!(engine.next(), Step::Priority(second));
    engine.set_priority(second, (0, 2));
    assert_eq!(engine.next(), Step::Flush(second));
}

#[test]
fn the_only_batch_that_could_be_flushed_needs_no_priority() {
    let mut engine = Engine::<Plain>::new();
    let batch = engine.add_batch((), PriorityRule::AskWhenGrown);
    let item = engine.add_item(batch).unwrap();
    call_and_await(&mut engine, [item]);
    assert_eq!(engine.next(), Step::Flush(batch));
}

/// The front end counts its items when it is asked.
#[test]
fn the_only_batch_that_could_be_flushed_is_asked_for_its_priority_while_events_are_recorded() {
    let mut engine = Engine::<Plain>::new();
    engine.listen(true);
    let batch = engine.add_batch((), PriorityRule::AskWhenGrown);
    let items = [(); 3].map(|()| engine.add_item(batch).unwrap());
    call_and_await(&mut engine, items);
    assert_eq!(engine.next(), Step::Priority(batch));
    engine.set_duplicates(batch, 1);
    engine.set_priority(batch, (0, 2));
    assert_eq!(engine.next(), Step::Flush(batch));
    let began = std::iter::from_fn(|| engine.poll_event())
        .find(|event| matches!(event, Event::FlushBegan { .. }));
    assert_eq!(began, Some(Event::FlushBegan { batch, items: 2 }));
}

#[test]
fn duplicates_do_not_count() {
    let mut engine = Engine::<Plain>::new();
    let [one, two] = [(); 2].map(|()| engine.add_batch((), PriorityRule::BySize));
    let mut items: Vec<ItemId> = (0..3).map(|_| engine.add_item(one).unwrap()).collect();
    items.extend((0..2).map(|_| engine.add_item(two).unwrap()));
    engine.set_duplicates(one, 2);
    assert_eq!(engine.item_count(one), 1);
    call_and_await(&mut engine, items);
    assert_eq!(engine.next(), Step::Flush(two));
}

/// A few batches are looked through, many are sorted.
#[test]
fn few_and_many_batches_are_flushed_by_size_and_then_by_age() {
    for count in [3, 64, 65, 200] {
        let mut engine = Engine::<Plain>::new();
        let mut batches: Vec<(usize, BatchId)> = Vec::new();
        let mut items = Vec::new();
        for index in 0..count {
            let batch = engine.add_batch((), PriorityRule::BySize);
            let size = 1 + index * 7 % 5;
            items.extend((0..size).map(|_| engine.add_item(batch).unwrap()));
            batches.push((size, batch));
        }
        call_and_await(&mut engine, items);
        // Stable, so that the first one opened is the first of its size.
        batches.sort_by_key(|&(size, _)| std::cmp::Reverse(size));
        for (_, batch) in batches {
            assert_eq!(engine.next(), Step::Flush(batch), "of {count}");
            engine.close(batch);
        }
    }
}

/// A batch that has grown since the last choice counts with all of its items.
#[test]
fn a_batch_that_grows_overtakes_a_larger_one() {
    let mut engine = Engine::<Plain>::new();
    let [small, large] = [(); 2].map(|()| engine.add_batch((), PriorityRule::BySize));
    let mut items = vec![engine.add_item(small).unwrap()];
    items.extend((0..2).map(|_| engine.add_item(large).unwrap()));
    let third = engine.add_batch((), PriorityRule::BySize);
    items.extend((0..3).map(|_| engine.add_item(third).unwrap()));
    call_and_await(&mut engine, items);
    assert_eq!(engine.next(), Step::Flush(third));
    for _ in 0..2 {
        engine.add_item(small);
    }
    engine.close(third);
    assert_eq!(engine.next(), Step::Flush(small));
}
