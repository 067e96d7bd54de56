//! I/O of one's own on the runtime of the stores.

use std::future;
use std::time::Duration;

use asynq::stores::run_io;
use asynq::{AsyncTask, FutureBase, LocalLoader};
use futures::channel::oneshot;

/// A loader that needs a timer of tokio.
fn squares() -> LocalLoader<u32, u32> {
    LocalLoader::new(|numbers: Vec<u32>| {
        run_io(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            numbers.into_iter().map(|number| number * number).collect::<Vec<_>>()
        })
    })
}

#[test]
fn a_synchronous_call_needs_no_runtime() {
    assert_eq!(squares().load_many([2, 3]).value().unwrap(), [4, 9]);
}

#[tokio::test]
async fn a_synchronous_call_may_block_a_runtime_on_one_thread() {
    assert_eq!(squares().load(3).value().unwrap(), 9);
}

#[tokio::test]
async fn a_runtime_may_await_it() {
    assert_eq!(squares().load(3).await.unwrap(), 9);
}

#[test]
fn a_panic_is_one_of_the_batch() {
    let broken: LocalLoader<u32, u32> = LocalLoader::new(|keys: Vec<u32>| {
        run_io(async move { if keys.is_empty() { keys } else { panic!("broken") } })
    });
    let error = AsyncTask::new(broken.load(1)).outcome().unwrap_err();
    assert_eq!(error.message(), "broken");
}

#[tokio::test]
async fn it_is_cancelled_when_its_future_is_dropped() {
    let (alive, ends) = oneshot::channel::<()>();
    let mut io = Box::pin(run_io(async move {
        let _alive = alive;
        future::pending::<()>().await;
    }));
    assert!(futures::poll!(&mut io).is_pending());
    drop(io);
    assert!(ends.await.is_err());
}
