//! Executors inside of tasks and requests: `block_on` drives what it waits for, and says so if it cannot.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use asynq::{
    AsyncTask, FutureBase, Loader, ScopedValue, TaskErrorKind, all, asynq, promise, request,
    with_context,
};
use futures::executor::LocalPool;
use futures::future::{join_all, select};
use futures::join;
use futures::task::LocalSpawnExt;

use crate::common::{Log, assert_usable, message_of, store, yield_now};

/// An executor that this crate does not know.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

fn numbers() -> Loader<u32, u32> {
    Loader::new(|keys: Vec<u32>| keys.into_iter().map(|key| key * 10).collect::<Vec<_>>())
        .name("numbers")
}

#[asynq]
async fn sum(loader: Loader<u32, u32>, key: u32) -> u32 {
    loader.load(key).await.unwrap() + loader.load(key + 1).await.unwrap()
}

#[test]
fn a_task_may_block_on_a_load() {
    let loader = numbers();
    assert_eq!(AsyncTask::new(async move { block_on(loader.load(1)).unwrap() }).value(), 10);
}

#[test]
fn a_task_may_block_on_a_load_by_the_executor_of_futures() {
    let loader = numbers();
    let task = async move { futures::executor::block_on(loader.load(1)).unwrap() };
    assert_eq!(AsyncTask::new(task).value(), 10);
}

#[test]
fn a_task_may_block_on_an_item() {
    let log = Log::new();
    let item = store(&log, "numbers").item(1);
    AsyncTask::new(async move { block_on(item).unwrap() }).value();
}

#[test]
fn a_task_may_block_on_a_call() {
    let loader = numbers();
    assert_eq!(AsyncTask::new(async move { block_on(sum::asynq(loader, 1)) }).value(), 30);
}

#[test]
fn a_plain_call_may_block_on_a_load() {
    #[asynq]
    async fn blocked(loader: Loader<u32, u32>) -> u32 {
        block_on(loader.load(1)).unwrap()
    }

    assert_eq!(blocked(numbers()), 10);
}

#[test]
fn a_call_that_another_executor_polls_may_block_on_a_load() {
    #[asynq]
    async fn blocked(loader: Loader<u32, u32>) -> u32 {
        block_on(loader.load(1)).unwrap()
    }

    assert_eq!(block_on(all([1, 2].map(|_| blocked::asynq(numbers())))), [10, 10]);
}

#[test]
fn code_that_blocks_may_block_again() {
    let loader = numbers();
    let inner = loader.clone();
    let task = AsyncTask::new(async move { block_on(inner.load(1)).unwrap() });
    let outer = async move { block_on(task) + block_on(loader.load(2)).unwrap() };
    assert_eq!(AsyncTask::new(outer).value(), 30);
}

#[test]
fn loads_that_are_joined_in_an_executor_inside_of_a_task_share_a_batch() {
    let loader = numbers();
    let joined = loader.clone();
    let task = async move {
        block_on(async { join!(joined.load(1), joined.load(2), joined.load(3)) }).2.unwrap()
    };
    assert_eq!((AsyncTask::new(task).value(), loader.stats().batches), (30, 1));
}

#[test]
fn a_queue_in_an_executor_inside_of_a_task_shares_a_batch() {
    let loader = numbers();
    let queued = loader.clone();
    let task =
        async move { block_on(join_all((0..100).map(|key| sum::asynq(queued.clone(), 2 * key)))) };
    assert_eq!((AsyncTask::new(task).value().len(), loader.stats().batches), (100, 2));
}

#[test]
fn an_executor_in_one_future_of_a_queue_leaves_the_others_to_the_task() {
    let loader = numbers();
    let queued = loader.clone();
    let load = move |key| {
        let loader = queued.clone();
        async move {
            if key == 20 {
                block_on(loader.load(1000)).unwrap() + block_on(loader.load(1001)).unwrap()
            } else {
                loader.load(key).await.unwrap()
            }
        }
    };
    let values = AsyncTask::new(join_all((0..40).map(load))).value();
    assert_eq!((values[20], values[21]), (20_010, 210));
    // The first takes along what the queue had asked for before.
    assert_eq!(loader.stats().batches, 3);
}

#[test]
fn a_queue_in_an_executor_is_not_taken_for_one_of_the_task() {
    let loader = numbers();
    let task = async move {
        let many = |first| join_all((first..first + 40).map(|key| loader.load(key)));
        let (outside, inside) = join!(many(0), async { block_on(many(100)) });
        outside.len() + inside.len() + block_on(many(200)).len()
    };
    assert_eq!(AsyncTask::new(task).value(), 120);
}

#[test]
fn a_pool_of_tasks_of_another_kind_may_run_inside_of_a_task() {
    let loader = numbers();
    let batches = loader.clone();
    let task = async move {
        let mut pool = LocalPool::new();
        let spawner = pool.spawner();
        let loads = (0..5).map(|key| spawner.spawn_local_with_handle(loader.load(key)).unwrap());
        let loads: Vec<_> = loads.collect();
        pool.run_until(join_all(loads)).len()
    };
    assert_eq!((AsyncTask::new(task).value(), batches.stats().batches), (5, 1));
}

#[test]
fn a_load_that_an_executor_gives_up_holds_up_nobody() {
    let loader = numbers();
    let task = async move {
        block_on(select(loader.load(1), Box::pin(yield_now())));
        loader.load(2).await.unwrap()
    };
    assert_eq!(AsyncTask::new(task).value(), 20);
}

#[test]
fn an_executor_inside_of_a_context_goes_on_in_it() {
    let user = ScopedValue::new("nobody");
    let (inside, loader) = (user.clone(), numbers());
    let task = with_context(user.override_with("Ann"), async move {
        let seen = block_on(async {
            loader.load(1).await.unwrap();
            inside.get()
        });
        (seen, inside.get())
    });
    assert_eq!(AsyncTask::new(task).value(), ("Ann", "Ann"));
    assert_eq!(user.get(), "nobody");
}

#[test]
fn an_executor_that_waits_for_its_own_task_gets_an_error() {
    let task = Rc::new(std::cell::OnceCell::<AsyncTask<u32>>::new());
    let own = Rc::clone(&task);
    let waiting = AsyncTask::new(async move { block_on(own.get().unwrap().clone()) });
    task.set(waiting.clone()).unwrap();
    let error = waiting.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert!(error.message().contains("await it instead"), "{error}");
    assert_usable();
}

#[test]
fn an_executor_that_waits_for_nothing_gets_an_error() {
    let task = AsyncTask::new(async {
        let (promise, future) = promise::<u32>();
        let value = block_on(future);
        drop(promise);
        value
    });
    let error = task.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[test]
fn a_future_of_the_same_executor_may_set_what_it_waits_for() {
    let task = AsyncTask::new(async {
        let (promise, future) = promise::<u32>();
        let set = async {
            yield_now().await;
            promise.set_value(7);
        };
        block_on(async { join!(future, set) }).0
    });
    assert_eq!(task.value(), 7);
}

#[test]
fn a_panic_of_a_batch_function_reaches_the_code_that_blocks() {
    let loader: Loader<u32, u32> = Loader::new(|_: Vec<u32>| -> Vec<u32> { panic!("no store") });
    let task = AsyncTask::new(async move { block_on(loader.load(1)).unwrap() });
    assert!(message_of(|| task.value()).contains("no store"));
    assert_usable();
}

#[test]
fn a_request_may_block_on_a_load() {
    let loader = numbers();
    let blocked = request(async { block_on(loader.load(1)).unwrap() });
    assert_eq!(block_on(blocked), 10);
}

#[test]
fn an_executor_in_one_future_of_a_request_leaves_the_others_to_the_request() {
    let loader = numbers();
    let load = |key| {
        let loader = &loader;
        async move {
            if key == 20 {
                block_on(loader.load(1000)).unwrap() + block_on(loader.load(1001)).unwrap()
            } else {
                loader.load(key).await.unwrap()
            }
        }
    };
    let values = block_on(request(join_all((0..40).map(load))));
    assert_eq!((values[20], values[21], loader.stats().batches), (20_010, 210, 3));
}

#[cfg(feature = "blocking")]
#[test]
fn a_task_may_block_on_a_load_that_another_thread_answers() {
    let loader = Loader::blocking(|keys: Vec<u32>| keys);
    let inner = loader.clone();
    assert_eq!(AsyncTask::new(async move { block_on(inner.load(1)).unwrap() }).value(), 1);
    assert_eq!(block_on(request(async { block_on(loader.load(2)).unwrap() })), 2);
}

#[cfg(feature = "tokio")]
mod in_tokio {
    use std::time::Duration;

    use tokio::runtime::{Builder, Handle, Runtime};
    use tokio::task::{LocalSet, block_in_place, spawn_local};

    use super::*;

    /// A loader that needs a timer of tokio.
    fn slow() -> Loader<u32, u32> {
        Loader::new(async |keys: Vec<u32>| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            keys
        })
    }

    fn current_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn one_worker() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[test]
    fn a_task_on_the_only_worker_of_a_runtime_may_block_on_a_load() {
        #[asynq]
        async fn blocked(loader: Loader<u32, u32>) -> u32 {
            block_on(loader.load(1)).unwrap()
        }

        let call = async { tokio::spawn(async { blocked(slow()) }).await.unwrap() };
        assert_eq!(one_worker().block_on(call), 1);
    }

    #[test]
    fn a_request_on_the_only_worker_of_a_runtime_may_block_on_a_load() {
        let call = request(async { block_on(slow().load(1)).unwrap() });
        assert_eq!(one_worker().block_on(async { tokio::spawn(call).await.unwrap() }), 1);
    }

    #[test]
    fn a_task_may_block_on_a_load_by_the_runtime_outside_of_its_tasks() {
        #[asynq]
        async fn blocked(loader: Loader<u32, u32>) -> u32 {
            block_in_place(|| Handle::current().block_on(loader.load(1))).unwrap()
        }

        let call = async { tokio::spawn(async { blocked(slow()) }).await.unwrap() };
        assert_eq!(one_worker().block_on(call), 1);
    }

    #[test]
    fn a_task_may_run_a_runtime_of_its_own() {
        let task = AsyncTask::new(async { current_thread().block_on(slow().load(1)).unwrap() });
        assert_eq!(task.value(), 1);
    }

    #[test]
    fn a_request_may_run_a_runtime_of_its_own() {
        let blocked = request(async { current_thread().block_on(slow().load(1)).unwrap() });
        assert_eq!(block_on(blocked), 1);
    }

    #[test]
    fn a_task_that_holds_the_runtime_it_waits_for_gets_an_error() {
        let task = async { AsyncTask::new(async { block_on(slow().load(1)) }).await };
        let message = message_of(|| current_thread().block_on(task));
        assert!(message.contains("holds the only thread of the tokio runtime"), "{message}");
        assert!(message.contains("instead of blocking on it"), "{message}");
        assert_usable();
    }

    #[test]
    fn a_request_that_holds_the_runtime_it_waits_for_gets_an_error() {
        let blocked = request(async { block_on(slow().load(1)) });
        let message = message_of(|| current_thread().block_on(blocked));
        assert!(message.contains("holds the only thread of the tokio runtime"), "{message}");
    }

    #[test]
    fn tasks_of_a_local_set_inside_of_a_task_share_a_batch() {
        for tasks in [5, 200] {
            let loader = numbers();
            let batches = loader.clone();
            let task = async move {
                let loads = async {
                    let tasks: Vec<_> =
                        (0..tasks).map(|key| spawn_local(loader.load(key))).collect();
                    join_all(tasks).await.len()
                };
                LocalSet::new().run_until(loads).await
            };
            assert_eq!(AsyncTask::new(task).value(), tasks as usize);
            assert_eq!(batches.stats().batches, 1, "{tasks} tasks");
        }
    }
}
