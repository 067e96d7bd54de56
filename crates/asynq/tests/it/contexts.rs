//! Contexts: active while their task, or what it awaits, runs, and not while others do.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::Cell;
use std::rc::Rc;

use asynq::{
    AsyncContext, AsyncTask, BatchItem, FutureBase, ScopedValue, all, call_with_context, debug,
    promise, with_context,
};
use expect_test::expect;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::common::{
    Log, Store, assert_usable, logged, message_of, poll_once, poll_outside, store, traced,
};

/// A task that awaits an item within a context of its own.
fn within(log: &Log, name: &'static str, item: BatchItem<Store>) -> AsyncTask<u32> {
    AsyncTask::new(with_context(traced(log, name), logged(log, name, item)))
}

#[test]
fn a_context_is_left_when_its_future_ends() {
    let log = Log::new();
    let task = {
        let log = log.clone();
        AsyncTask::new(async move {
            with_context(traced(&log, "a"), async { log.add("inside") }).await;
            log.add("outside");
        })
    };
    task.value();
    expect![[r#"
        resume a
        inside
        pause a
        outside
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_context_stays_active_while_what_is_awaited_runs() {
    let log = Log::new();
    let inner = {
        let log = log.clone();
        AsyncTask::new(async move { log.add("inner") })
    };
    AsyncTask::new(with_context(traced(&log, "a"), inner)).value();
    expect![[r#"
        resume a
        inner
        pause a
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_context_of_all_who_wait_is_active_during_a_flush() {
    let log = Log::new();
    within(&log, "a", store(&log, "numbers").item(1)).value();
    expect![[r#"
        resume a
        a starts
        flush numbers [1]
        a gets 10
        pause a
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_context_is_paused_while_others_run() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let own = within(&log, "a", numbers.item(1));
    all([own, logged(&log, "other", numbers.item(2))]).value();
    expect![[r#"
        resume a
        a starts
        pause a
        other starts
        flush numbers [1, 2]
        resume a
        a gets 10
        pause a
        other gets 20
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_innermost_is_paused_first_and_the_outermost_resumed_first() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let inner = within(&log, "inner", numbers.item(1));
    let outer = AsyncTask::new(with_context(traced(&log, "outer"), inner));
    all([outer, logged(&log, "other", numbers.item(2))]).value();
    expect![[r#"
        resume outer
        resume inner
        inner starts
        pause inner
        pause outer
        other starts
        flush numbers [1, 2]
        resume outer
        resume inner
        inner gets 10
        pause inner
        pause outer
        other gets 20
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn between_siblings_only_what_differs_is_switched() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let siblings = all([within(&log, "b", numbers.item(1)), within(&log, "c", numbers.item(2))]);
    AsyncTask::new(with_context(traced(&log, "a"), siblings)).value();
    expect![[r#"
        resume a
        resume b
        b starts
        pause b
        resume c
        c starts
        pause c
        flush numbers [1, 2]
        resume b
        b gets 10
        pause b
        resume c
        c gets 20
        pause c
        pause a
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_branches_of_a_foreign_join_have_contexts_of_their_own() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let branch = |name: &'static str, key| {
        let (log, item) = (log.clone(), numbers.item(key));
        with_context(traced(&log.clone(), name), async move {
            log.add(format_args!("{name} asks"));
            item.await.unwrap();
            log.add(format_args!("{name} goes on"));
        })
    };
    let (a, b) = (branch("a", 1), branch("b", 2));
    AsyncTask::new(async { futures::join!(a, b) }).value();
    expect![[r#"
        resume a
        a asks
        pause a
        resume b
        b asks
        pause b
        flush numbers [1, 2]
        resume a
        a goes on
        pause a
        resume b
        b goes on
        pause b
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_members_of_a_futures_unordered_have_contexts_of_their_own() {
    let level = ScopedValue::new(0);
    let member = |n: u32| {
        let level = level.clone();
        with_context(level.override_with(n), async move {
            for _ in 0..n {
                debug::sync().await;
                assert_eq!(level.get(), n);
            }
            n
        })
    };
    let members: FuturesUnordered<_> = [3, 1, 2].into_iter().map(member).collect();
    let outside = level.clone();
    let task = AsyncTask::new(members.map(move |n| (n, outside.get())).collect::<Vec<_>>());
    assert_eq!(task.value(), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(level.get(), 0);
}

#[test]
fn a_synchronous_call_in_a_branch_sees_nothing_of_its_siblings() {
    let log = Log::new();
    let (mine, numbers) = (store(&log, "mine"), store(&log, "numbers"));
    let (first, second) = (mine.item(1), numbers.item(2));
    let context = with_context(traced(&log, "a"), first);
    let calls = async move { second.value().unwrap() };
    AsyncTask::new(async { futures::join!(context, calls) }).value().0.unwrap();
    expect![[r#"
        resume a
        pause a
        flush numbers [2]
        resume a
        flush mine [1]
        pause a
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_shared_task_runs_in_the_contexts_of_the_one_that_asked_first() {
    let log = Log::new();
    let shared = logged(&log, "shared", store(&log, "numbers").item(1));
    let asks = |name| AsyncTask::new(with_context(traced(&log, name), shared.clone()));
    all([asks("a"), asks("b")]).value();
    expect![[r#"
        resume a
        shared starts
        pause a
        resume b
        pause b
        flush numbers [1]
        resume a
        shared gets 10
        pause a
        resume b
        pause b
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_synchronous_call_runs_and_flushes_in_the_contexts_of_its_caller() {
    let log = Log::new();
    let item = store(&log, "numbers").item(1);
    AsyncTask::new(with_context(traced(&log, "a"), async move { item.value().unwrap() })).value();
    expect![[r#"
        resume a
        flush numbers [1]
        pause a
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_contexts_of_a_called_task_come_on_top_of_those_of_the_caller() {
    let log = Log::new();
    let called = within(&log, "called", store(&log, "numbers").item(1));
    AsyncTask::new(with_context(traced(&log, "caller"), async { called.value() })).value();
    expect![[r#"
        resume caller
        resume called
        called starts
        flush numbers [1]
        called gets 10
        pause called
        pause caller
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_call_that_cannot_end_leaves_the_contexts_of_its_caller_as_they_were() {
    let log = Log::new();
    let (_promise, future) = promise::<()>();
    let stuck = AsyncTask::new(with_context(traced(&log, "called"), future));
    let calls = {
        let log = log.clone();
        AsyncTask::new(with_context(traced(&log.clone(), "caller"), async move {
            log.add(stuck.outcome().is_err());
        }))
    };
    calls.value();
    expect![[r#"
        resume caller
        resume called
        pause called
        true
        pause caller
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_context_can_be_looked_at_afterwards() {
    #[derive(Default)]
    struct Steps(Cell<u32>);

    impl AsyncContext for Steps {
        fn resume(&self) {
            self.0.set(self.0.get() + 1);
        }

        fn pause(&self) {}
    }

    let steps = Rc::new(Steps::default());
    AsyncTask::new(with_context(Rc::clone(&steps), async {
        debug::sync().await;
        debug::sync().await;
    }))
    .value();
    assert_eq!(steps.0.get(), 1);
}

#[test]
fn a_context_may_own_what_the_scheduler_knows() {
    /// Looks at the scheduler when it is dropped, which another task may cause.
    struct Owns(Log);

    impl AsyncContext for Owns {
        fn resume(&self) {}

        fn pause(&self) {}
    }

    impl Drop for Owns {
        fn drop(&mut self) {
            debug::sync().value();
            self.0.add("dropped");
        }
    }

    let log = Log::new();
    let (promise, future) = promise::<()>();
    let shared = AsyncTask::new(future);
    // Asks for `shared` first, so that this runs in the context; but does not stay for its end.
    let first = {
        let mut shared = shared.clone();
        AsyncTask::new(with_context(Owns(log.clone()), async move {
            assert!(poll_once(&mut shared).await.is_pending());
            debug::sync().await;
        }))
    };
    AsyncTask::new(async move {
        first.await;
        promise.set_value(());
        shared.await;
    })
    .value();
    assert_eq!(log.take(), "dropped\n");
    assert_usable();
}

#[test]
fn a_context_may_make_a_synchronous_call_when_it_is_resumed() {
    struct Loads(Log, asynq::Source<Store>);

    impl AsyncContext for Loads {
        fn resume(&self) {
            self.0.add(format_args!("loaded {}", self.1.item(1).value().unwrap()));
        }

        fn pause(&self) {}
    }

    let log = Log::new();
    let numbers = store(&log, "numbers");
    let loads = AsyncTask::new(with_context(Loads(log.clone(), numbers), debug::sync()));
    all([loads, AsyncTask::new(debug::sync())]).value();
    expect![[r#"
        flush numbers [1]
        loaded 10
        flush numbers [1]
        loaded 10
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn with_context_outside_of_tasks_says_what_to_use_instead() {
    let message = message_of(|| {
        poll_outside(&mut Box::pin(with_context(traced(&Log::new(), "a"), async {})))
    });
    expect![
        "the future of `with_context` was polled outside of a task; await it in a task or in a \
         `request`, or use `call_with_context`"
    ]
    .assert_eq(&message);
}

#[test]
fn call_with_context_resumes_and_pauses_once() {
    let log = Log::new();
    let value = call_with_context(traced(&log, "a"), || {
        log.add("called");
        1
    });
    assert_eq!(value, 1);
    assert_eq!(log.take(), "resume a\ncalled\npause a\n");
}

#[test]
fn call_with_context_covers_the_synchronous_calls_inside() {
    let log = Log::new();
    let item = store(&log, "numbers").item(1);
    call_with_context(traced(&log, "a"), || item.value().unwrap());
    assert_eq!(log.take(), "resume a\nflush numbers [1]\npause a\n");
}
