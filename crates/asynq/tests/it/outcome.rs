//! Outcomes: values or failures that are awaited.

use asynq::{AsyncTask, FutureBase, TaskErrorKind, all, asynq, outcome, promise, request};
use futures::executor::block_on;

#[asynq]
async fn half(n: u32) -> u32 {
    assert!(n.is_multiple_of(2), "{n} is odd");
    n / 2
}

#[asynq]
async fn halves(count: u32) -> Vec<Result<u32, String>> {
    let outcomes = all((0..count).map(|n| outcome(half::asynq(n)))).await;
    outcomes.into_iter().map(|each| each.map_err(|error| error.message().to_owned())).collect()
}

#[test]
fn a_panic_leaves_the_values_of_the_others() {
    assert_eq!(halves(3), [Ok(0), Err("1 is odd".to_owned()), Ok(1)]);
}

#[test]
fn a_request_gets_failures_beside_values() {
    assert_eq!(block_on(request(halves::asynq(3))), [Ok(0), Err("1 is odd".to_owned()), Ok(1)]);
}

#[test]
fn a_task_that_was_cancelled_says_so() {
    let task = AsyncTask::new(async {});
    let handle = task.clone();
    handle.cancel();
    assert_eq!(outcome(task).value().unwrap_err().kind(), TaskErrorKind::Cancelled);
}

#[test]
fn a_task_that_waits_for_ever_is_told_of_the_deadlock() {
    #[asynq]
    async fn kind_of_failure() -> Option<TaskErrorKind> {
        let (_promise, never) = promise::<()>();
        let waiting = AsyncTask::new(never);
        outcome(waiting).await.err().map(|error| error.kind())
    }
    assert_eq!(kind_of_failure(), Some(TaskErrorKind::Deadlock));
}

#[test]
fn a_failure_has_the_stack_of_where_it_began() {
    #[asynq]
    async fn failing_call() -> String {
        outcome(half::asynq(1)).await.unwrap_err().to_string()
    }
    let text = failing_call();
    assert!(text.contains("half"), "{text}");
    assert!(text.contains("failing_call"), "{text}");
}
