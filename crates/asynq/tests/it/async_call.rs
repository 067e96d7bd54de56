//! Calls of functions that may be async or not.

use asynq::{AsyncTask, ConstFuture, FutureBase, all, async_call, asynq, debug};

#[asynq]
async fn later(n: u32) -> u32 {
    debug::sync().await;
    n
}

fn now(n: u32) -> u32 {
    n
}

#[test]
fn an_async_function_gives_its_own_task() {
    let task: AsyncTask<u32> = async_call!(later::asynq, 1).task();
    assert_eq!(task.value(), 1);
}

#[test]
fn a_plain_function_gives_a_known_value() {
    let known: ConstFuture<u32> = async_call!(now, 1);
    assert!(known.is_computed());
}

#[test]
fn both_can_be_awaited_together() {
    assert_eq!(all((async_call!(later::asynq, 1), async_call!(now, 2))).value(), (1, 2));
}

#[test]
fn a_closure_of_any_number_of_arguments_will_do() {
    let sum = |a: u32, b: u32, c: u32| a + b + c;
    assert_eq!(async_call!(sum, 1, 2, 3).value(), 6);
    assert_eq!(async_call!(|| "none").value(), "none");
}
