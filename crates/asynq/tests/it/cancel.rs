//! Giving up: tasks dropped or cancelled in every state, and what is freed by that.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::RefCell;
use std::rc::Rc;

use asynq::{AsyncTask, FutureBase, TaskErrorKind, all, debug, promise};
use expect_test::expect;

use crate::common::{
    Log, assert_usable, knowing_itself, logged, poll_once, source, store, without_lines,
};

/// Says when it is dropped.
struct Local(Log, &'static str);

impl Drop for Local {
    fn drop(&mut self) {
        self.0.add(format_args!("{} dropped", self.1));
    }
}

/// A task with a local, that waits for two rounds.
fn holds(log: &Log, name: &'static str) -> AsyncTask<u32> {
    let local = Local(log.clone(), name);
    AsyncTask::new(async move {
        debug::sync().await;
        local.0.add(format_args!("{name} goes on"));
        debug::sync().await;
        1
    })
}

#[test]
fn dropping_a_task_that_has_not_started_drops_its_body() {
    let log = Log::new();
    drop(holds(&log, "task"));
    assert_eq!(log.take(), "task dropped\n");
}

#[test]
fn dropping_a_task_that_waits_drops_its_locals() {
    let log = Log::new();
    let root = {
        let (log, mut task) = (log.clone(), holds(&log, "task"));
        AsyncTask::new(async move {
            assert!(poll_once(&mut task).await.is_pending());
            debug::sync().await;
            debug::sync().await;
            drop(task);
            log.add("root goes on");
            debug::sync().await;
        })
    };
    root.value();
    expect![[r#"
        task goes on
        task dropped
        root goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_dropped_task_drops_what_it_awaits_after_itself() {
    let log = Log::new();
    let inner = holds(&log, "inner");
    let outer = {
        let local = Local(log.clone(), "outer");
        AsyncTask::new(async move {
            let value = inner.await;
            drop(local);
            value
        })
    };
    drop(outer);
    assert_eq!(log.take(), "outer dropped\ninner dropped\n");
}

#[test]
fn a_task_that_others_wait_for_survives_the_drop_of_a_handle() {
    let log = Log::new();
    let shared = holds(&log, "shared");
    let waits = AsyncTask::new(shared.clone());
    let drops = AsyncTask::new(async move { drop(shared) });
    assert_eq!(all((waits, drops)).value().0, 1);
    assert_eq!(log.take(), "shared goes on\nshared dropped\n");
}

#[test]
fn the_locals_of_a_task_are_dropped_when_it_ends() {
    let log = Log::new();
    let task = holds(&log, "task");
    let handle = task.clone();
    task.value();
    assert_eq!(log.take(), "task goes on\ntask dropped\n");
    drop(handle);
}

#[test]
fn a_cancelled_task_has_an_error_that_names_it() {
    let task = AsyncTask::new(async { 1 });
    task.cancel();
    assert!(task.is_computed());
    let error = task.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Cancelled);
    expect![[r#"
        async block, called at crates/asynq/tests/it/cancel.rs was cancelled
    "#]]
    .assert_eq(&without_lines(error.message()));
}

#[test]
fn cancelling_a_task_drops_its_body_at_once() {
    let log = Log::new();
    let task = holds(&log, "task");
    task.cancel();
    assert_eq!(log.take(), "task dropped\n");
}

#[test]
fn cancelling_a_task_fails_those_who_wait() {
    let log = Log::new();
    let task = holds(&log, "task");
    let waits = AsyncTask::new(task.clone());
    let cancels = {
        let log = log.clone();
        AsyncTask::new(async move {
            task.cancel();
            log.add("cancelled");
            debug::sync().await;
        })
    };
    AsyncTask::new(all((waits.clone(), cancels))).outcome().unwrap_err();
    assert_eq!(waits.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_eq!(log.take(), "task dropped\ncancelled\n");
    assert_usable();
}

#[test]
fn cancelling_a_task_that_has_ended_does_nothing() {
    let task = AsyncTask::new(async { 1 });
    let handle = task.clone();
    task.value();
    handle.cancel();
    assert_eq!(handle.value(), 1);
}

#[test]
fn cancelling_a_task_twice_is_once() {
    let task = AsyncTask::new(async { 1 });
    task.cancel();
    task.cancel();
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
}

#[test]
fn cancelling_a_task_calls_those_who_subscribed() {
    let log = Log::new();
    let task = AsyncTask::new(async { 1 });
    let log_in = log.clone();
    task.on_computed(move || log_in.add("computed"));
    task.cancel();
    assert_eq!(log.take(), "computed\n");
}

#[test]
fn a_task_that_is_ready_can_be_cancelled() {
    let log = Log::new();
    let second = logged(&log, "second", store(&log, "numbers").item(1));
    let first = {
        let second = second.clone();
        AsyncTask::new(async move { second.cancel() })
    };
    AsyncTask::new(all((first, second))).outcome().unwrap_err();
    assert_eq!(log.take(), "", "it never started");
    assert_usable();
}

#[test]
fn a_task_can_cancel_the_one_that_awaits_it() {
    let log = Log::new();
    let (handle, later) = promise::<AsyncTask<()>>();
    let inner = {
        let log = log.clone();
        AsyncTask::new(async move {
            later.await.cancel();
            log.add("inner ends");
        })
    };
    let outer = {
        let (log, inner) = (log.clone(), inner.clone());
        AsyncTask::new(async move {
            inner.await;
            log.add("outer goes on");
        })
    };
    handle.set_value(outer.clone());
    assert_eq!(outer.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    inner.value();
    assert_eq!(log.take(), "inner ends\n");
}

#[test]
fn a_task_can_cancel_its_synchronous_caller() {
    let log = Log::new();
    let caller = {
        let log = log.clone();
        knowing_itself(|this: AsyncTask<()>| async move {
            AsyncTask::new(async move { this.cancel() }).value();
            log.add("the call returns");
            debug::sync().await;
            log.add("never");
        })
    };
    assert_eq!(caller.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_eq!(log.take(), "the call returns\n");
    assert_usable();
}

#[test]
fn a_task_may_drop_its_own_last_handle() {
    let log = Log::new();
    let (handle, later) = promise::<AsyncTask<u32>>();
    let task = {
        let log = log.clone();
        AsyncTask::new(async move {
            drop(later.await);
            log.add("still runs");
            debug::sync().await;
            log.add("never");
            1
        })
    };
    let root = AsyncTask::new(async move {
        let mut task = task;
        assert!(poll_once(&mut task).await.is_pending());
        handle.set_value(task);
        debug::sync_in("root").await;
    });
    root.value();
    assert_eq!(log.take(), "still runs\n");
    assert_usable();
}

#[test]
fn a_flush_may_cancel_the_task_that_waits_for_it() {
    let victim: Rc<RefCell<Option<AsyncTask<()>>>> = Rc::default();
    let numbers = {
        let victim = Rc::clone(&victim);
        source("numbers", move |items| {
            if let Some(victim) = victim.take() {
                victim.cancel();
            }
            items.set_values(|&key| Some(key));
        })
    };
    let item = numbers.item(1);
    let task = AsyncTask::new(async move { drop(item.await) });
    victim.replace(Some(task.clone()));
    let other = numbers.item(2);
    let join = AsyncTask::new(all((task, AsyncTask::new(other))));
    assert_eq!(join.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_usable();
}
