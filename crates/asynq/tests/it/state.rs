//! Text of the state of the scheduler.

use std::rc::Rc;

use asynq::{AsyncTask, Batch, FutureBase, Items, Source, all, debug, promise};
use expect_test::expect;
use futures::channel::oneshot;

use crate::common::{Later, Log, later, source, store, without_lines};

#[test]
fn the_state_has_the_tasks_and_what_each_waits_for() {
    let source = store(&Log::new(), "store");
    let item = source.item(1);
    let waiting = AsyncTask::new(async move {
        item.await.unwrap();
    });
    let looking = AsyncTask::new(async { debug::format_state() });
    let (state, ()) = AsyncTask::new(async move {
        let (waiting, state) = all((waiting, looking)).await;
        (state, waiting)
    })
    .value();
    expect![[r#"
        asynq: 1 call, 3 tasks, 1 batch
          async block #1, called at crates/asynq/tests/it/state.rs, waits for
            async block #2
            async block #3
          async block #2, called at crates/asynq/tests/it/state.rs, waits for
            item 0 of store #1
          async block #3, called at crates/asynq/tests/it/state.rs, runs
          batch store #1: 1 item
    "#]]
    .assert_eq(&without_lines(&state));
}

#[test]
fn the_state_tells_why_tasks_do_not_run() {
    let log = Log::new();
    let (promise, future) = promise::<()>();
    let (sender, receiver) = oneshot::channel::<()>();
    let source = store(&log, "store");
    let promised = AsyncTask::new(future);
    let remote = AsyncTask::new(receiver);
    let looks = AsyncTask::new({
        let (source, log) = (source.clone(), log.clone());
        async move {
            source.item(1).await.unwrap();
            log.add(debug::format_state());
            promise.set_value(());
            sender.send(()).unwrap();
        }
    });
    let waits = AsyncTask::new(async move { source.item(2).await.unwrap() });
    all((promised, remote, looks, waits)).value().1.unwrap();
    expect![[r#"
        flush store [1, 2]
        asynq: 1 call, 6 tasks, 0 batches
          async block #1, called at crates/asynq/tests/it/state.rs, waits for
            async block #2
            async block #3
            async block #4
            async block #5
          async block #2, called at crates/asynq/tests/it/state.rs, waits for
            promise #6
          promise #6, made at crates/asynq/tests/it/state.rs, not set
          async block #3, called at crates/asynq/tests/it/state.rs, waits for something from elsewhere
          async block #4, called at crates/asynq/tests/it/state.rs, runs
          async block #5, called at crates/asynq/tests/it/state.rs, ready
    "#]]
    .assert_eq(&without_lines(&log.take()));
}

#[test]
fn the_state_of_a_scheduler_at_rest_is_empty() {
    later(2).value();
    assert_eq!(debug::format_state(), "asynq: 0 calls, 0 tasks, 0 batches");
}

#[test]
fn the_state_has_the_calls_in_order() {
    let log = Log::new();
    let inner = AsyncTask::new(async { debug::format_state() });
    let outer = AsyncTask::new(async move { inner.value() });
    log.add(outer.value());
    expect![[r#"
        asynq: 2 calls, 2 tasks, 0 batches
          async block #1, called at crates/asynq/tests/it/state.rs, runs
          async block #2, called at crates/asynq/tests/it/state.rs, runs
    "#]]
    .assert_eq(&without_lines(&log.take()));
}

#[test]
fn the_state_has_a_flush_in_flight() {
    let log = Log::new();
    let source = source("remote", |items| -> Later {
        Box::pin(async move { items.set_values(|&key| Some(key)) })
    });
    let its = log.clone();
    let _listening = debug::listen(move |event| {
        if let debug::Event::FlushDeferred(_) = event {
            its.add(debug::format_state());
        }
    });
    source.item(1).value().unwrap();
    expect![[r#"
        asynq: 1 call, 2 tasks, 1 batch
          async block #1, called at crates/asynq/tests/it/state.rs, waits for
            item 0 of remote #1
          flush of a source #2, made at crates/asynq/tests/it/state.rs, runs
          batch remote #1: 1 item, is being flushed
    "#]]
    .assert_eq(&without_lines(&log.take()));
}

#[test]
fn a_source_whose_name_panics_has_another_in_the_state() {
    struct Nameless;
    impl Batch for Nameless {
        type Key = ();
        type Value = ();
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|()| Some(()));
        }

        fn name(&self) -> String {
            panic!("no name")
        }
    }
    let _item = Source::new(Nameless).item(());
    assert_eq!(
        debug::format_state(),
        "asynq: 0 calls, 0 tasks, 1 batch\n  batch a batch #1: 1 item"
    );
}
