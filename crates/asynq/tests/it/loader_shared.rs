//! Loaders of all threads: in async code, in tasks and in plain calls.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, LazyLock, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use asynq::loader::{Group, Load, LoadError, per};
use asynq::{AsyncTask, FutureBase, Loader, all, asynq, request, with_context};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;

type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

/// A loader of tenfold numbers, and its batches.
fn tens() -> (Loader<u32, u32>, Batches) {
    let batches = Batches::default();
    let log = Arc::clone(&batches);
    let loader = Loader::new(move |keys: Vec<u32>| {
        log.lock().unwrap().push(keys.clone());
        keys.into_iter().map(|key| (key, key * 10)).collect::<HashMap<_, _>>()
    });
    (loader.name("tens"), batches)
}

fn async_tens() -> Loader<u32, u32> {
    Loader::new(|keys: Vec<u32>| async move { keys.iter().map(|key| key * 10).collect::<Vec<_>>() })
}

fn is_send_and_sync<T: Send + Sync>(_: &T) {}
fn is_send<T: Send>(_: &T) {}

#[test]
fn a_loader_and_its_loads_belong_to_no_thread() {
    let (tens, _) = tens();
    is_send_and_sync(&tens);
    is_send(&tens.load(1));
    is_send(&request(async move { tens.load(1).await }));
}

static STATIC: LazyLock<Loader<u32, u32>> = LazyLock::new(|| tens().0);

#[asynq]
async fn ten(key: u32) -> u32 {
    STATIC.load(key).await.unwrap()
}

#[test]
fn a_static_loader_works_in_tasks_in_requests_and_in_plain_calls() {
    assert_eq!(ten(1), 10);
    assert_eq!(STATIC.load(2).value().unwrap(), 20);
    assert_eq!(block_on(request(async { STATIC.load(3).await.unwrap() })), 30);
    assert_eq!(block_on(STATIC.load(4)).unwrap(), 40);
    assert_eq!(all((5..7).map(ten::asynq)).value(), [50, 60]);
}

#[test]
fn tasks_that_are_joined_share_a_batch() {
    let (tens, batches) = tens();
    let task = |key| {
        let tens = tens.clone();
        AsyncTask::new(async move { tens.load(key).await.unwrap() })
    };
    assert_eq!(all([1, 2, 1].map(task)).value(), [10, 20, 10]);
    assert_eq!(*batches.lock().unwrap(), [[1, 2]]);
}

#[test]
fn a_queue_of_futures_in_a_task_shares_a_batch() {
    let (tens, batches) = tens();
    let queue = join_all((0..40).map(|key| tens.load(key)));
    let values = AsyncTask::new(async move { queue.await.len() }).value();
    assert_eq!((values, batches.lock().unwrap().len()), (40, 1));
}

#[test]
fn the_engine_orders_the_batches_of_a_scheduler() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let loader = |name: &'static str| {
        let log = Arc::clone(&log);
        Loader::new(move |keys: Vec<u32>| {
            log.lock().unwrap().push((name, keys.len()));
            keys
        })
    };
    let (few, many, first) = (loader("few"), loader("many"), loader("first").priority(1));
    let loads = vec![few.load(1), many.load(1), many.load(2), first.load(1)];
    assert!(all(loads).value().iter().all(Result::is_ok));
    assert_eq!(*log.lock().unwrap(), [("first", 1), ("many", 2), ("few", 1)]);
}

#[test]
fn loads_outside_of_requests_share_a_batch_when_the_executor_has_been_around() {
    let (tens, batches) = tens();
    let values = block_on(join_all((0..40).map(|key| tens.load(key))));
    assert_eq!((values.len(), batches.lock().unwrap().len()), (40, 1));
}

#[test]
fn threads_share_a_loader() {
    let tens = async_tens();
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for number in 0..4 {
            let (tens, barrier) = (&tens, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for key in 0..100 {
                    let load = tens.load(key + number);
                    let value = match number % 3 {
                        0 => load.value(),
                        1 => block_on(load),
                        _ => block_on(request(load)),
                    };
                    assert_eq!(value.unwrap(), (key + number) * 10);
                }
            });
        }
    });
}

/// A loader whose function returns when it is told to, and that says when it was called.
fn blocked() -> (Loader<u32, u32>, Arc<Barrier>, Arc<Barrier>) {
    let (called, end) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let barriers = (Arc::clone(&called), Arc::clone(&end));
    let loader = Loader::new(move |keys: Vec<u32>| {
        barriers.0.wait();
        barriers.1.wait();
        keys
    });
    (loader, called, end)
}

#[test]
fn a_key_in_flight_is_shared_between_threads() {
    let (loader, called, end) = blocked();
    thread::scope(|scope| {
        let first = scope.spawn(|| loader.load(1).value().unwrap());
        called.wait();
        let second = loader.load(1);
        let second = scope.spawn(move || second.value().unwrap());
        end.wait();
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 1));
    });
    assert_eq!(loader.stats().batches, 1);
    assert_eq!(loader.stats().hits, 1);
}

#[test]
fn a_load_that_is_polled_no_more_holds_up_nobody() {
    let tens = async_tens();
    let mut left = tens.load(1);
    assert!(block_on(async { futures::poll!(&mut left) }).is_pending());
    assert_eq!(block_on(tens.load(2)).unwrap(), 20);
    assert_eq!(block_on(left).unwrap(), 10);
}

/// A waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_load_that_moves_to_another_task_leaves_another_of_its_key_the_wake_up() {
    let loader = Loader::new(|keys: Vec<u32>| keys).settle(2);
    let (mut stays, mut moves) = (loader.load(1), loader.load(1));
    let count = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut here = Context::from_waker(&waker);
    assert!(stays.poll_unpin(&mut here).is_pending());
    assert!(moves.poll_unpin(&mut here).is_pending());
    let mut elsewhere = Context::from_waker(Waker::noop());
    assert!(moves.poll_unpin(&mut elsewhere).is_pending());
    count.0.store(0, Ordering::Relaxed);
    assert!(moves.poll_unpin(&mut elsewhere).is_ready(), "it has sent the batch");
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(stays.poll_unpin(&mut here).is_ready());
}

#[test]
fn a_key_whose_loads_are_dropped_is_not_sent() {
    let (tens, batches) = tens();
    drop(tens.load(1));
    assert_eq!(block_on(request(tens.load(2))).unwrap(), 20);
    assert_eq!(*batches.lock().unwrap(), [[2]]);
}

#[test]
fn an_error_names_the_loader_and_the_key() {
    let loader = Loader::try_new(|keys: Vec<u32>| {
        keys.iter().map(|_| Err::<u32, _>("no such user")).collect::<Vec<_>>()
    });
    let error = block_on(loader.name("user").load(7)).unwrap_err();
    assert_eq!(error.to_string(), "batch user: key 7: no such user");
}

#[test]
fn a_key_without_an_answer_is_missing() {
    let loader: Loader<u32, u32> = Loader::new(|_: Vec<u32>| HashMap::new());
    let error = loader.load(1).value().unwrap_err();
    let error = std::error::Error::source(&error).and_then(|error| error.downcast_ref());
    assert!(matches!(error, Some(LoadError::Missing { key }) if key == "1"));
}

#[test]
fn a_panic_of_the_function_reaches_the_loads_and_the_loader_stays_usable() {
    let loader = Loader::new(|keys: Vec<u32>| {
        assert_ne!(keys, [0], "no zero");
        keys
    });
    let load = || drop(block_on(loader.load(0)));
    let payload = thread::scope(|scope| scope.spawn(load).join()).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("no zero"));
    assert_eq!(block_on(loader.load(1)).unwrap(), 1);
}

static ITSELF: OnceLock<Loader<u32, u32>> = OnceLock::new();

#[test]
fn a_function_that_loads_its_own_key_gets_an_error() {
    let loader = ITSELF.get_or_init(|| {
        Loader::try_new(|keys: Vec<u32>| async move {
            ITSELF.get().unwrap().load(keys[0]).await.map(|value| vec![Ok::<_, String>(value)])
        })
    });
    let error = block_on(loader.load(1)).unwrap_err().to_string();
    assert!(error.contains("a key that it was called for"), "{error}");
    let error = loader.load(1).value().unwrap_err().to_string();
    assert!(error.contains("a key that it was called for"), "{error}");
}

static THERE: OnceLock<Loader<u32, u32>> = OnceLock::new();
static BACK: OnceLock<Loader<u32, u32>> = OnceLock::new();

#[test]
fn functions_that_wait_for_each_other_get_an_error() {
    let through = |other: &'static OnceLock<Loader<u32, u32>>| {
        Loader::try_new(move |keys: Vec<u32>| async move {
            other.get().unwrap().load(keys[0]).await.map(|value| vec![Ok::<_, String>(value)])
        })
    };
    THERE.set(through(&BACK)).unwrap();
    BACK.set(through(&THERE)).unwrap();
    let error = block_on(THERE.get().unwrap().load(1)).unwrap_err().to_string();
    assert!(error.contains("wait for"), "{error}");
}

static INNER: OnceLock<Loader<u32, u32>> = OnceLock::new();

#[test]
fn a_function_lends_its_permit_to_the_batch_that_it_waits_for() {
    let group = Group::new().max_in_flight(1);
    INNER.set(async_tens().group(&group)).unwrap();
    let outer = Loader::try_new(|keys: Vec<u32>| async move {
        INNER.get().unwrap().load(keys[0]).await.map(|value| vec![Ok::<_, String>(value)])
    });
    assert_eq!(block_on(outer.group(&group).load(1)).unwrap(), 10);
}

#[test]
fn a_batch_that_waits_for_a_permit_collects_keys_of_all_threads() {
    let (loader, called, end) = blocked();
    let loader = loader.group(&Group::new().max_in_flight(1));
    thread::scope(|scope| {
        let first = scope.spawn(|| block_on(request(loader.load(1))).unwrap());
        called.wait();
        let mut second = request(loader.load(2));
        for _ in 0..5 {
            assert!(block_on(async { futures::poll!(&mut second) }).is_pending());
        }
        let third = loader.load(3);
        end.wait();
        assert_eq!(first.join().unwrap(), 1);
        let others = scope.spawn(|| block_on(async { futures::join!(second, third) }));
        called.wait();
        end.wait();
        let (second, third) = others.join().unwrap();
        assert_eq!((second.unwrap(), third.unwrap()), (2, 3));
    });
    assert_eq!((loader.stats().batches, loader.stats().keys), (2, 3));
}

#[test]
fn a_late_load_fails_without_a_runtime() {
    let loader: Loader<u32, u32> = Loader::new(|_: Vec<u32>| std::future::pending::<Vec<u32>>())
        .timeout(Duration::from_millis(1));
    for error in
        [block_on(loader.load(1)), loader.load(2).value(), block_on(request(loader.load(3)))]
    {
        assert!(error.unwrap_err().to_string().contains("no answer within 1ms"));
    }
}

#[test]
fn a_held_batch_is_sent_after_its_time() {
    let (tens, batches) = tens();
    let tens = tens.hold(Duration::from_millis(1));
    assert_eq!(block_on(request(tens.load(1))).unwrap(), 10);
    assert_eq!(tens.load(2).value().unwrap(), 20);
    assert_eq!(batches.lock().unwrap().len(), 2);
}

#[test]
fn a_cached_key_waits_for_the_keys_of_its_request() {
    let (tens, batches) = tens();
    let tens = &tens.cache();
    tens.prime(1, 11);
    let (next, sent) = self::tens();
    let next = &next;
    let chain = |key| async move {
        let value = tens.load(key).await.unwrap();
        next.load(value).await.unwrap()
    };
    block_on(request(join_all([1, 2].map(chain))));
    assert_eq!(*batches.lock().unwrap(), [[2]]);
    assert_eq!(*sent.lock().unwrap(), [[11, 20]], "caching splits no later batch");
}

#[test]
fn a_request_has_a_cache_of_its_own() {
    let (tens, batches) = tens();
    let tens = tens.cache_per_request();
    let twice = || request(async { tens.load(1).await.unwrap() + tens.load(1).await.unwrap() });
    assert_eq!((block_on(twice()), block_on(twice())), (20, 20));
    assert_eq!(batches.lock().unwrap().len(), 2);
}

#[test]
fn a_scope_of_a_group_has_caches_for_its_loaders() {
    let (tens, batches) = tens();
    let group = Group::new();
    let tens = &tens.group(&group);
    let twice = with_context(group.scope(), async {
        (tens.load(1).await.unwrap(), tens.load(1).await.unwrap())
    });
    assert_eq!(block_on(request(twice)), (10, 10));
    assert_eq!(batches.lock().unwrap().len(), 1);
}

#[test]
fn each_value_has_a_loader_of_its_own() {
    let greeting = per(|tenant: &u32| {
        let tenant = *tenant;
        Loader::new(move |keys: Vec<u32>| keys.iter().map(|key| key + tenant).collect::<Vec<_>>())
    });
    assert_eq!(greeting.of(100).load(1).value().unwrap(), 101);
    assert_eq!(greeting.of(200).load(1).value().unwrap(), 201);
    assert_eq!(greeting.of(100).stats().batches, 1);
}

/// A key whose comparison loads.
#[derive(Clone, Debug)]
struct Nosy(u32);

static NOSY: OnceLock<Loader<Nosy, u32>> = OnceLock::new();
static INSIDE: Mutex<Vec<Load<Nosy, u32>>> = Mutex::new(Vec::new());

impl PartialEq for Nosy {
    fn eq(&self, other: &Self) -> bool {
        let loader = NOSY.get().unwrap();
        if self.0 == 1 && other.0 == 1 {
            INSIDE.lock().unwrap().push(loader.load(Self(7)));
        }
        self.0 == other.0
    }
}

impl Eq for Nosy {}

impl Hash for Nosy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn a_key_may_load_while_it_is_compared() {
    let loader = NOSY.get_or_init(|| {
        Loader::new(|keys: Vec<Nosy>| keys.iter().map(|key| key.0).collect::<Vec<_>>())
    });
    let loads = [loader.load(Nosy(1)), loader.load(Nosy(1))];
    assert_eq!(block_on(join_all(loads)).len(), 2);
    let inside = std::mem::take(&mut *INSIDE.lock().unwrap());
    assert!(!inside.is_empty());
    assert!(block_on(join_all(inside)).into_iter().all(|value| value.unwrap() == 7));
}

/// A key that loads when it is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Last(u32);

static LAST: OnceLock<Loader<Last, u32>> = OnceLock::new();
static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Last {
    fn drop(&mut self) {
        if self.0 == 1 {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            drop(LAST.get().unwrap().load(Self(2)));
        }
    }
}

#[test]
fn a_key_may_load_while_it_is_dropped() {
    let loader = LAST.get_or_init(|| {
        Loader::new(|keys: Vec<Last>| keys.iter().map(|key| key.0).collect::<Vec<_>>())
    });
    drop(loader.load(Last(1)));
    assert_eq!(block_on(loader.load(Last(1))).unwrap(), 1);
    assert!(DROPPED.load(Ordering::Relaxed) > 1);
}

#[test]
fn hooks_see_each_batch() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (before, after) = (Arc::clone(&seen), Arc::clone(&seen));
    let loader = Loader::new(|keys: Vec<u32>| keys)
        .before_flush(move |keys| before.lock().unwrap().push(format!("before {keys:?}")))
        .after_flush(move |batch| after.lock().unwrap().push(format!("after {:?}", batch.keys)));
    loader.load(1).value().unwrap();
    assert_eq!(*seen.lock().unwrap(), ["before [1]", "after [1]"]);
}
