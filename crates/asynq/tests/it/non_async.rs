//! Contexts in which a task must not wait.

use asynq::{AsyncTask, FutureBase, NonAsyncContext, all, debug};
use expect_test::expect;

use crate::common::assert_usable;

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
    expect!["a task cannot await while it holds the row lock; release it first"]
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
