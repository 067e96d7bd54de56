//! Contexts that fail, and contexts of tasks that fail or are given up.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use asynq::{
    AsyncContext, AsyncTask, FutureBase, ScopedValue, TaskErrorKind, all, call_with_context, debug,
    promise, with_context,
};
use expect_test::expect;
use futures::FutureExt;

use crate::common::{Log, assert_usable, logged, message_of, store, traced};

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

/// A context that cannot be paused, by its name.
struct FailsAs(&'static str);

impl AsyncContext for FailsAs {
    fn resume(&self) {}

    fn pause(&self) {
        panic!("{} cannot pause", self.0);
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
fn the_first_panic_in_the_pauses_of_nested_contexts_is_the_failure() {
    let inner = with_context(FailsAs("inner"), debug::sync());
    let error = AsyncTask::new(with_context(FailsAs("outer"), inner)).outcome().unwrap_err();
    assert_eq!(error.message(), "inner cannot pause");
    assert_usable();
}

#[test]
fn a_context_that_cannot_be_resumed_is_not_paused_later() {
    /// Writes its pauses into a log, and cannot be resumed.
    struct Never(Log);

    impl AsyncContext for Never {
        fn resume(&self) {
            panic!("cannot resume");
        }

        fn pause(&self) {
            self.0.add("pause");
        }
    }

    let log = Log::new();
    let never = Never(log.clone());
    AsyncTask::new(async move {
        let mut fails = Box::pin(with_context(never, async {}));
        assert!(AssertUnwindSafe(fails.as_mut()).catch_unwind().await.is_err());
        // The context still exists when the task waits.
        debug::sync().await;
    })
    .value();
    assert_eq!(log.take(), "");
}

#[test]
fn a_call_that_is_given_up_leaves_the_contexts_of_its_tasks() {
    let level = ScopedValue::new(0);
    let (promise, future) = promise();
    let inside = {
        let seen = level.clone();
        AsyncTask::new(with_context(level.override_with(1), async move {
            future.await;
            seen.get()
        }))
    };
    let calls = AsyncTask::new(async move {
        let error = inside.clone().outcome().unwrap_err();
        assert_eq!((error.kind(), level.get()), (TaskErrorKind::Deadlock, 0));
        promise.set_value(());
        inside.await
    });
    assert_eq!(calls.value(), 1);
}

#[test]
fn a_task_that_panics_leaves_its_context() {
    let log = Log::new();
    let task: AsyncTask<()> = AsyncTask::new(with_context(traced(&log, "a"), async {
        debug::sync().await;
        panic!("no")
    }));
    assert_eq!(task.outcome().unwrap_err().message(), "no");
    assert_eq!(log.take(), "resume a\npause a\n");
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
fn a_task_that_its_own_context_cancels_ends() {
    /// Cancels its task when it is resumed the second time.
    struct Cancels(Rc<RefCell<Option<AsyncTask<()>>>>, Cell<bool>);

    impl AsyncContext for Cancels {
        fn resume(&self) {
            if self.1.replace(true) {
                self.0.take().unwrap().cancel();
            }
        }

        fn pause(&self) {}
    }

    let handle: Rc<RefCell<Option<AsyncTask<()>>>> = Rc::default();
    let cancels = Cancels(Rc::clone(&handle), Cell::new(false));
    let task = AsyncTask::new(with_context(cancels, debug::sync()));
    handle.replace(Some(task.clone()));
    let other = AsyncTask::new(debug::sync());
    AsyncTask::new(all([task.clone(), other])).outcome().unwrap_err();
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_usable();
}

#[test]
fn a_panic_while_a_context_is_dropped_fails_its_task() {
    struct Sticky;

    impl AsyncContext for Sticky {
        fn resume(&self) {}

        fn pause(&self) {}
    }

    impl Drop for Sticky {
        fn drop(&mut self) {
            panic!("it sticks");
        }
    }

    let task = AsyncTask::new(with_context(Sticky, debug::sync()));
    assert_eq!(task.outcome().unwrap_err().message(), "it sticks");
    assert_usable();
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
