//! Joins inside of requests.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Waker};

use asynq::{AsyncTask, FutureBase, Loader, all, asynq, request, try_all};
use expect_test::expect;
use futures::channel::oneshot::{Receiver, channel};

/// A loader of doubles, and its batches.
struct Doubles {
    loader: Loader<u32, u32>,
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Doubles {
    fn new() -> Self {
        let batches = Arc::<Mutex<Vec<Vec<u32>>>>::default();
        let log = Arc::clone(&batches);
        let loader = Loader::new(move |keys: Vec<u32>| {
            log.lock().unwrap().push(keys.clone());
            keys.into_iter().map(|key| 2 * key).collect::<Vec<_>>()
        });
        Self { loader, batches }
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }
}

#[asynq]
async fn double(loader: Loader<u32, u32>, key: u32) -> u32 {
    loader.load(key).await.unwrap()
}

#[asynq]
async fn doubles(loader: Loader<u32, u32>, count: u32) -> Vec<u32> {
    all((0..count).map(|key| double::asynq(loader.clone(), key))).await
}

#[asynq]
async fn quadruples(loader: Loader<u32, u32>, count: u32) -> Vec<u32> {
    let twice = doubles::asynq(loader.clone(), count).await;
    all(twice.into_iter().map(|key| double::asynq(loader.clone(), key))).await
}

#[test]
fn a_join_of_calls_goes_on_in_another_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let store = Doubles::new();
    let spawned = runtime.spawn(request(quadruples::asynq(store.loader.clone(), 3)));
    assert_eq!(runtime.block_on(spawned).unwrap(), [0, 4, 8]);
    assert_eq!(store.batches(), [[0, 1, 2], [0, 2, 4]]);
}

#[test]
fn a_join_of_calls_loads_in_one_round_of_a_spawned_future() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let store = Doubles::new();
    let spawned = runtime.spawn(doubles::asynq(store.loader.clone(), 3).into_future());
    assert_eq!(runtime.block_on(spawned).unwrap(), [0, 2, 4]);
    assert_eq!(store.batches(), [[0, 1, 2]]);
}

#[test]
fn joins_inside_of_joins_share_their_rounds() {
    let store = Doubles::new();
    let each = |count| quadruples::asynq(store.loader.clone(), count);
    let both = request(async { all((each(1), all([each(2), each(3)]))).await });
    let (one, others) = futures::executor::block_on(both);
    assert_eq!(one, [0]);
    assert_eq!(others, [vec![0, 4], vec![0, 4, 8]]);
    assert_eq!(store.batches(), [[0, 1, 2], [0, 2, 4]]);
}

#[test]
fn a_join_of_calls_and_tasks_has_the_values_of_both() {
    let store = Doubles::new();
    let call = double::asynq(store.loader.clone(), 1);
    let task = AsyncTask::new(double::asynq(store.loader.clone(), 2));
    let both = futures::executor::block_on(request(async { all((call, task)).await }));
    assert_eq!(both, (2, 4));
}

#[asynq]
async fn fail(keys: Rc<Cell<u32>>, key: u32) -> u32 {
    keys.set(keys.get() + key);
    assert_ne!(key, 2, "no value for {key}");
    key
}

#[test]
fn a_call_that_panics_lets_the_others_of_the_join_run() {
    let keys = Rc::new(Cell::new(0));
    let calls: Vec<_> = (1..=3).map(|key| fail::asynq(Rc::clone(&keys), key)).collect();
    let joined = request(async { all(calls).await });
    let payload = catch_unwind(AssertUnwindSafe(|| futures::executor::block_on(joined)));
    let message = payload.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("no value for 2"), "{message}");
    assert_eq!(keys.get(), 6);
}

#[asynq]
async fn checked(key: u32) -> Result<u32, String> {
    if key == 0 { Err("no zero".to_owned()) } else { Ok(key) }
}

#[test]
fn the_first_error_of_a_join_is_that_of_the_request() {
    let tried = request(async { try_all([1, 0, 2].map(checked::asynq)).await });
    assert_eq!(futures::executor::block_on(tried), Err("no zero".to_owned()));
}

#[test]
fn a_join_begun_in_a_request_ends_in_a_task() {
    let store = Doubles::new();
    let mut join = Box::pin(all([1, 2].map(|key| double::asynq(store.loader.clone(), key))));
    let waker = std::task::Waker::noop();
    assert!(join.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    assert_eq!(AsyncTask::new(join).value(), [2, 4]);
    assert_eq!(store.batches(), [[1, 2]]);
}

#[test]
fn a_callback_on_a_join_runs_when_its_calls_have_values() {
    let store = Doubles::new();
    let called = Rc::new(Cell::new(false));
    let join = all([double::asynq(store.loader.clone(), 1)]);
    let note = Rc::clone(&called);
    join.on_computed(move || note.set(true));
    assert!(!called.get());
    assert_eq!(join.value(), [2]);
    assert!(called.get());
}

#[test]
fn a_join_shows_which_calls_have_values() {
    static ONE: LazyLock<Loader<u32, u32>> = LazyLock::new(|| Loader::new(|keys: Vec<u32>| keys));
    let join = all([double::asynq(ONE.clone(), 1)]);
    expect!["All { parts: [JoinedCall(pending)], ended: false }"].assert_eq(&format!("{join:?}"));
}

#[test]
fn a_join_polls_each_call_in_vain_at_most_twice() {
    const COUNT: usize = 100;
    #[asynq]
    async fn receive(values: Receiver<()>, polls: Rc<Cell<usize>>) {
        let mut values = pin!(values);
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            values.as_mut().poll(cx)
        })
        .await
        .unwrap();
    }

    let polls = Rc::new(Cell::new(0));
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..COUNT).map(|_| channel()).unzip();
    let calls: Vec<_> =
        receivers.into_iter().map(|values| receive::asynq(values, Rc::clone(&polls))).collect();
    let mut join = pin!(request(all(calls)));
    let mut cx = Context::from_waker(Waker::noop());
    for sender in senders {
        assert!(join.as_mut().poll(&mut cx).is_pending());
        sender.send(()).unwrap();
    }
    assert!(join.as_mut().poll(&mut cx).is_ready());
    assert!(polls.get() <= 4 * COUNT, "{} polls", polls.get());
}

#[test]
fn a_join_polls_no_call_in_vain_whose_load_its_request_sends() {
    const COUNT: u32 = 100;
    #[asynq]
    async fn double_counted(loader: Loader<u32, u32>, key: u32, polls: Rc<Cell<u32>>) -> u32 {
        let mut load = pin!(loader.load(key));
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            load.as_mut().poll(cx)
        })
        .await
        .unwrap()
    }

    let (doubles, polls) = (Doubles::new(), Rc::new(Cell::new(0)));
    let call = |key| double_counted::asynq(doubles.loader.clone(), key, Rc::clone(&polls));
    let calls: Vec<_> = (0..COUNT).map(call).collect();
    let values = futures::executor::block_on(request(all(calls)));
    assert_eq!(values.iter().sum::<u32>(), COUNT * (COUNT - 1));
    assert_eq!(doubles.batches().len(), 1);
    assert_eq!(polls.get(), 2 * COUNT);
}
