//! Contexts: active while their task, or what it awaits, runs, and not while others do.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use asynq::{
    AsyncContext, AsyncTask, BatchItem, FutureBase, NonAsyncContext, ScopedValue, TaskErrorKind,
    all, call_with_context, debug, promise, with_context,
};
use common::{
    Log, Store, assert_usable, logged, message_of, poll_once, poll_outside, source, store, traced,
};
use expect_test::expect;

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
fn a_context_is_paused_during_a_flush() {
    let log = Log::new();
    within(&log, "a", store(&log, "numbers").item(1)).value();
    expect![[r#"
        resume a
        a starts
        pause a
        flush numbers [1]
        resume a
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
    let inner = within(&log, "inner", store(&log, "numbers").item(1));
    AsyncTask::new(with_context(traced(&log, "outer"), inner)).value();
    expect![[r#"
        resume outer
        resume inner
        inner starts
        pause inner
        pause outer
        flush numbers [1]
        resume outer
        resume inner
        inner gets 10
        pause inner
        pause outer
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
        pause a
        flush numbers [1, 2]
        resume a
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
        flush mine [1]
        resume a
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
        pause called
        flush numbers [1]
        resume called
        called gets 10
        pause called
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
    assert_eq!(steps.0.get(), 3);
}

/// A context that panics where it is told to.
struct Fails(&'static str);

impl AsyncContext for Fails {
    fn resume(&self) {
        assert!(self.0 != "resume", "cannot resume");
    }

    fn pause(&self) {
        assert!(self.0 != "pause", "cannot pause");
    }
}

/// Fails when it is resumed the second time.
struct FailsLater(Cell<bool>);

impl AsyncContext for FailsLater {
    fn resume(&self) {
        assert!(!self.0.replace(true), "cannot resume again");
    }

    fn pause(&self) {}
}

#[test]
fn a_panic_in_pause_fails_the_task_that_entered_the_context() {
    let task = AsyncTask::new(with_context(Fails("pause"), debug::sync()));
    let error = task.outcome().unwrap_err();
    assert_eq!((error.kind(), error.message()), (TaskErrorKind::Panicked, "cannot pause"));
    assert_usable();
}

#[test]
fn a_panic_in_pause_fails_no_other_task() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let before = logged(&log, "before", numbers.item(1));
    let owner = AsyncTask::new(with_context(Fails("pause"), numbers.item(2)));
    let after = logged(&log, "after", numbers.item(3));
    let join = all((before.clone(), owner, after.clone()));
    assert_eq!(AsyncTask::new(join).outcome().unwrap_err().message(), "cannot pause");
    assert_eq!((before.value(), after.value()), (10, 30));
}

#[test]
fn a_panic_in_the_last_pause_fails_the_task() {
    let task = AsyncTask::new(with_context(Fails("pause"), async { 1 }));
    assert_eq!(task.outcome().unwrap_err().message(), "cannot pause");
    assert_usable();
}

#[test]
fn a_panic_in_the_first_resume_keeps_the_future_from_running() {
    let log = Log::new();
    let task = {
        let log = log.clone();
        AsyncTask::new(with_context(Fails("resume"), async move { log.add("runs") }))
    };
    assert_eq!(task.outcome().unwrap_err().message(), "cannot resume");
    assert_eq!(log.take(), "");
    assert_usable();
}

#[test]
fn a_panic_in_a_later_resume_fails_the_task_that_entered_the_context() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let inner = logged(&log, "inner", numbers.item(1));
    let owner = AsyncTask::new(with_context(FailsLater(Cell::new(false)), inner.clone()));
    let other = logged(&log, "other", numbers.item(2));
    let join = AsyncTask::new(all([owner, other.clone()]));
    assert_eq!(join.outcome().unwrap_err().message(), "cannot resume again");
    assert_eq!((inner.value(), other.value()), (10, 20), "what is not its own goes on");
    assert_usable();
}

#[test]
fn panics_in_the_pauses_of_nested_contexts_are_one_failure() {
    let nested = with_context(Fails("pause"), with_context(Fails("pause"), async { panic!("no") }));
    let task: AsyncTask<()> = AsyncTask::new(nested);
    assert_eq!(task.outcome().unwrap_err().message(), "no");
    assert_usable();
}

#[test]
fn a_task_that_panics_leaves_its_context() {
    let log = Log::new();
    let task: AsyncTask<()> = AsyncTask::new(with_context(traced(&log, "a"), async {
        debug::sync().await;
        panic!("no")
    }));
    assert_eq!(task.outcome().unwrap_err().message(), "no");
    assert_eq!(log.take(), "resume a\npause a\nresume a\npause a\n");
}

#[test]
fn a_task_that_is_cancelled_while_it_waits_leaves_its_context_for_good() {
    let log = Log::new();
    let task = AsyncTask::new(with_context(traced(&log, "a"), debug::sync()));
    let cancels = {
        let (log, task) = (log.clone(), task.clone());
        AsyncTask::new(async move {
            task.cancel();
            log.add("cancelled");
            debug::sync().await;
            log.add("later");
        })
    };
    AsyncTask::new(all((task, cancels.clone()))).outcome().unwrap_err();
    cancels.value();
    expect![[r#"
        resume a
        pause a
        cancelled
        later
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_task_that_is_cancelled_from_within_its_context_leaves_it_once() {
    let log = Log::new();
    let (handle, later) = promise::<AsyncTask<()>>();
    let cancels = {
        let log = log.clone();
        AsyncTask::new(async move {
            later.await.cancel();
            log.add("cancelled");
        })
    };
    let task = AsyncTask::new(with_context(traced(&log, "a"), cancels.clone()));
    handle.set_value(task.clone());
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    cancels.value();
    let text = log.take();
    let count = |line| text.lines().filter(|&l| l == line).count();
    assert_eq!((count("resume a"), count("pause a")), (1, 1), "{text}");
}

#[test]
fn an_override_ends_when_its_task_cancels_itself() {
    let level = ScopedValue::new(0);
    let (handle, later) = promise::<AsyncTask<()>>();
    let task = AsyncTask::new(with_context(level.override_with(1), async {
        later.await.cancel();
    }));
    handle.set_value(task.clone());
    task.outcome().unwrap_err();
    assert_eq!(level.get(), 0);
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
    AsyncTask::new(with_context(Loads(log.clone(), numbers), debug::sync())).value();
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
        "`with_context` was polled outside of any task: use `call_with_context`, or await it in a \
         task"
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

#[test]
fn call_with_context_pauses_after_a_panic() {
    let log = Log::new();
    let message = message_of(|| call_with_context(traced(&log, "a"), || panic!("no")));
    assert_eq!(message, "no");
    assert_eq!(log.take(), "resume a\npause a\n");
}

#[test]
fn call_with_context_passes_on_the_first_of_two_panics() {
    assert_eq!(message_of(|| call_with_context(Fails("pause"), || panic!("first"))), "first");
    assert_eq!(message_of(|| call_with_context(Fails("pause"), || ())), "cannot pause");
}

#[test]
fn an_override_holds_for_what_its_task_awaits_and_for_no_other() {
    let level = ScopedValue::new(0);
    let reads = |rounds: usize| {
        let level = level.clone();
        AsyncTask::new(async move {
            for _ in 0..rounds {
                debug::sync().await;
            }
            level.get()
        })
    };
    let one = AsyncTask::new(with_context(level.override_with(1), reads(2)));
    let two = AsyncTask::new(with_context(level.override_with(2), reads(2)));
    assert_eq!(all([one, reads(1), two, reads(3)]).value(), [1, 0, 2, 0]);
    assert_eq!(level.get(), 0);
}

#[test]
fn overrides_nest() {
    let level = ScopedValue::new(0);
    let task = {
        let level = level.clone();
        AsyncTask::new(with_context(level.override_with(1), async move {
            let inner = with_context(level.override_with(2), async {
                debug::sync().await;
                level.get()
            });
            let inner = inner.await;
            debug::sync().await;
            (inner, level.get())
        }))
    };
    assert_eq!(task.value(), (2, 1));
    assert_eq!(level.get(), 0);
}

#[test]
fn a_value_set_within_an_override_ends_with_it() {
    let level = ScopedValue::new(0);
    let task = {
        let level = level.clone();
        AsyncTask::new(with_context(level.override_with(1), async move {
            level.set(7);
            debug::sync().await;
            level.get()
        }))
    };
    assert_eq!(task.value(), 7);
    assert_eq!(level.get(), 0);
}

#[test]
fn an_override_ends_when_its_task_panics() {
    let level = ScopedValue::new(0);
    let task: AsyncTask<()> = AsyncTask::new(with_context(level.override_with(1), async {
        debug::sync().await;
        panic!("no")
    }));
    task.outcome().unwrap_err();
    assert_eq!(level.get(), 0);
}

#[test]
fn an_override_ends_where_its_future_is_dropped() {
    let level = ScopedValue::new(0);
    let task = {
        let level = level.clone();
        AsyncTask::new(async move {
            let mut dropped = Box::pin(with_context(level.override_with(1), debug::sync()));
            assert!(poll_once(&mut dropped).await.is_pending());
            let inner = level.clone();
            let inside = with_context(level.override_with(2), async move {
                drop(dropped);
                inner.get()
            });
            (inside.await, level.get())
        })
    };
    assert_eq!(task.value(), (2, 0));
    assert_eq!(level.get(), 0);
}

#[test]
fn an_override_is_not_in_force_during_a_flush() {
    let level = ScopedValue::new(0);
    let levels = {
        let level = level.clone();
        source("levels", move |items| items.set_values(|_| Some(level.get())))
    };
    let seen = AsyncTask::new(with_context(level.override_with(1), levels.item(0))).value();
    assert_eq!(seen.unwrap(), 0);
}

/// Holds something that forbids to wait, while it awaits `future`.
fn holding<F: Future + 'static>(future: F) -> AsyncTask<F::Output> {
    AsyncTask::new(async move {
        let _lock = NonAsyncContext::enter("the row lock");
        future.await
    })
}

#[test]
fn a_task_that_must_not_wait_fails_if_it_does() {
    let error = holding(debug::sync()).outcome().unwrap_err();
    expect!["a task cannot await while it holds the row lock: let go of it first"]
        .assert_eq(error.message());
    assert_usable();
}

#[test]
fn a_task_that_must_not_wait_fails_alone() {
    let other = AsyncTask::new(async {
        debug::sync().await;
        1
    });
    let join = AsyncTask::new(all((holding(debug::sync()), other.clone())));
    join.outcome().unwrap_err();
    assert_eq!(other.value(), 1);
}

#[test]
fn a_task_that_must_not_wait_may_await_what_needs_no_wait() {
    let quick = AsyncTask::new(async { 1 });
    assert_eq!(holding(quick).value(), 1);
}

#[test]
fn a_task_that_must_not_wait_may_call_synchronously() {
    let task = AsyncTask::new(async {
        let _lock = NonAsyncContext::enter("the row lock");
        debug::sync().value();
        1
    });
    assert_eq!(task.value(), 1);
}

#[test]
fn a_task_may_wait_after_it_has_let_go() {
    let task = AsyncTask::new(async {
        drop(NonAsyncContext::enter("the row lock"));
        debug::sync().await;
        1
    });
    assert_eq!(task.value(), 1);
}

#[test]
fn forbidding_to_wait_outside_of_tasks_does_nothing() {
    let _lock = NonAsyncContext::enter("the row lock");
    debug::sync().value();
}
