//! Synchronous calls on threads of a tokio runtime, which the runtime may need.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Once};
use std::time::Duration;

use asynq::{AsyncTask, FutureBase, Loader, LocalLoader, TaskError, TaskErrorKind, asynq};
use expect_test::expect;
use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{LocalSet, spawn_blocking};

use crate::common::assert_usable;

thread_local! {
    /// A loader that needs a timer of tokio.
    static SLOW: LocalLoader<u32, u32> = LocalLoader::new(authors);
    static FAST: LocalLoader<u32, u32> = LocalLoader::new(|keys: Vec<u32>| keys);
}

async fn authors(ids: Vec<u32>) -> Vec<u32> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    ids
}

#[asynq]
async fn slow(key: u32) -> u32 {
    SLOW.with(|loader| loader.load(key)).await.unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn one_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn outcome() -> Result<u32, TaskError> {
    slow::asynq(1).outcome()
}

#[test]
fn a_call_on_the_only_worker_of_a_runtime_does_not_stop_the_runtime() {
    let call = async {
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move { sender.send(1) });
        AsyncTask::new(async move { receiver.await.unwrap() }).value() + slow(1)
    };
    assert_eq!(one_worker().block_on(async { tokio::spawn(call).await.unwrap() }), 2);
}

#[test]
fn a_call_in_the_main_future_of_a_runtime_with_workers_returns() {
    assert_eq!(one_worker().block_on(async { slow(1) }), 1);
}

#[test]
fn a_call_on_a_blocking_thread_of_a_current_thread_runtime_returns() {
    let call = current_thread().block_on(async { spawn_blocking(|| slow(1)).await });
    assert_eq!(call.unwrap(), 1);
}

#[test]
fn a_call_that_holds_the_only_thread_of_a_runtime_is_an_error() {
    let error = current_thread().block_on(async { outcome() }).unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    let message = error.message().replace(char::is_numeric, "0");
    expect![[r#"
        a synchronous call would wait for ever, because it holds the only thread of the tokio runtime that has to go on. It calls it::calls_in_tokio::slow, called at crates/asynq/tests/it/calls_in_tokio.rs:00:0, which waits for it::calls_in_tokio::authors, batch function of the loader at crates/asynq/tests/it/calls_in_tokio.rs:00:00. Await the asynchronous form of the call (`f::asynq(..).await`) instead, or run the I/O on another runtime (`asynq::stores::run_io`)
    "#]].assert_eq(&(message + "\n"));
    assert_usable();
}

#[test]
fn a_call_that_needs_a_loader_of_the_runtime_that_it_holds_is_an_error() {
    static SHARED: LazyLock<Loader<u32, u32>> = LazyLock::new(|| Loader::new(authors));

    #[asynq]
    async fn name(key: u32) -> u32 {
        SHARED.load(key).await.unwrap()
    }

    let error = current_thread().block_on(async { name::asynq(1).outcome() }).unwrap_err();
    let message = error.message().replace(char::is_numeric, "0");
    expect![[r#"
        a synchronous call would wait for ever, because it holds the only thread of the tokio runtime that has to go on. It calls it::calls_in_tokio::name, called at crates/asynq/tests/it/calls_in_tokio.rs:00:00, which waits for it::calls_in_tokio::authors, batch function of the loader at crates/asynq/tests/it/calls_in_tokio.rs:00:00. Await the asynchronous form of the call (`f::asynq(..).await`) instead, or run the I/O on another runtime (`asynq::stores::run_io`)
    "#]].assert_eq(&(message + "\n"));
}

#[test]
fn a_call_that_waits_for_a_runtime_which_no_thread_runs_is_an_error() {
    static SHARED: LazyLock<Loader<u32, u32>> = LazyLock::new(|| Loader::new(authors));

    #[asynq]
    async fn name(key: u32) -> u32 {
        SHARED.load(key).await.unwrap()
    }

    let runtime = current_thread();
    let _inside = runtime.enter();
    let error = name::asynq(1).outcome().unwrap_err();
    let message = error.message();
    let reason = "because no thread runs the tokio runtime that has to go on (`Runtime::enter` alone does not run it)";
    assert!(message.contains(reason), "{message}");
    assert!(message.contains("authors, batch function of the loader at"), "{message}");
    assert!(message.contains("(`runtime.block_on(f::asynq(..).into_future())`)"), "{message}");
    assert_eq!(outcome().unwrap_err().kind(), TaskErrorKind::Deadlock);
    // The runtime runs what was left there.
    assert_eq!(runtime.block_on(name::asynq(1).into_future()), 1);
}

#[test]
fn a_call_on_a_thread_that_has_entered_a_runtime_which_another_one_runs_returns() {
    let runtime = current_thread();
    let handle = runtime.handle().clone();
    let call = std::thread::spawn(move || {
        let _inside = handle.enter();
        slow(1) + slow(2)
    });
    runtime.block_on(async {
        while !call.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(call.join().unwrap(), 3);
}

/// Calls `f`. Returns its panic, and what the hook of panics was told on this thread.
fn panics_of(f: impl FnOnce() -> u32) -> (String, Vec<String>) {
    thread_local! {
        static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }
    static LISTENS: Once = Once::new();

    LISTENS.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>().cloned();
            TOLD.with_borrow_mut(|told| told.extend(text));
            before(info);
        }));
    });
    TOLD.take();
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    (*payload.downcast::<String>().unwrap(), TOLD.take())
}

#[test]
fn a_plain_call_that_holds_the_only_thread_of_a_runtime_reports_this_error_and_no_other() {
    let (panic, told) = panics_of(|| current_thread().block_on(async { slow(1) }));
    assert!(panic.starts_with("a synchronous call would wait for ever"), "{panic}");
    assert_eq!(told, [panic]);
}

#[test]
fn a_call_inside_a_task_that_a_current_thread_runtime_polls_is_an_error() {
    let error = current_thread().block_on(AsyncTask::new(async { outcome() })).unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
}

#[test]
fn a_call_in_a_local_set_is_an_error() {
    let error = LocalSet::new().block_on(&one_worker(), async { outcome() }).unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
}

#[test]
fn a_load_after_such_an_error_has_its_value() {
    let value = current_thread().block_on(async {
        drop(outcome());
        slow::asynq(1).await
    });
    assert_eq!(value, 1);
}

#[cfg(feature = "blocking")]
#[test]
fn a_call_may_wait_for_a_worker_thread_everywhere() {
    let loader = || LocalLoader::blocking(|keys: Vec<u32>| keys);
    assert_eq!(current_thread().block_on(async { loader().load(1).value().unwrap() }), 1);
}

#[test]
fn a_call_may_wait_for_the_timeout_of_a_loader_everywhere() {
    let never = LocalLoader::new(async |keys: Vec<u32>| {
        std::future::pending::<()>().await;
        keys
    })
    .timeout(Duration::from_millis(1));
    assert!(current_thread().block_on(async { never.load(1).value().is_err() }));
}

/// More than the budget of a task of tokio.
const MANY: u32 = 400;

static SEMAPHORE: Semaphore = Semaphore::const_new(MANY as usize);

async fn permit_then_load(key: u32) -> u32 {
    drop(SEMAPHORE.acquire().await.unwrap());
    FAST.with(|loader| loader.load(key)).await.unwrap()
}

#[test]
fn the_budget_of_a_task_of_tokio_ends_no_synchronous_call() {
    let sum = current_thread().block_on(async {
        AsyncTask::new(async { join_all((0..MANY).map(permit_then_load)).await.len() }).value()
    });
    assert_eq!(sum, MANY as usize);
}

#[test]
fn the_budget_of_a_task_of_tokio_splits_no_batch() {
    let batches = || FAST.with(|loader| loader.stats().batches);
    let before = batches();
    current_thread().block_on(AsyncTask::new(join_all((0..MANY).map(permit_then_load))));
    assert_eq!(batches() - before, 1);
}
