//! The scenarios of all implementations of loaders, here on the loaders of all threads, in the scheduler.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use asynq::loader::{Load, LoadError, TimeoutError};
use asynq::{AsyncTask, BatchError, FutureBase, Loader};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::future::{AbortHandle, Abortable};
use futures::task::LocalSpawnExt;
use futures_timer::Delay;

use crate::common::yield_now;

use crate::loader_scenarios::scenario::{self, Action, Face, Settings, Stats, event};

#[test]
fn every_scenario_holds() {
    scenario::run_all::<Library>(include_str!("../../../asynq-loader/scenarios/loaders.txt"));
}

/// Values and errors of keys, as the batch function of the loader returns them.
type Returned = HashMap<u32, Result<String, String>>;

/// An order to the function of a call.
enum Order {
    Return(Result<Returned, String>),
    Load(u32),
}

/// A call of the batch function, which does what it is told to.
#[derive(Default)]
struct Call {
    orders: Mutex<Vec<Order>>,
    waker: Mutex<Option<Waker>>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, event: String) {
        self.0.lock().unwrap().push(event);
    }
}

/// Logs the cancellation of a call, unless it has returned.
struct Running {
    number: usize,
    log: Log,
    has_returned: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_returned {
            self.log.add(event::cancelled(self.number));
        }
    }
}

/// A load and its end.
struct Waiter {
    key: u32,
    /// Until it is awaited.
    load: Option<Load<u32, String>>,
    abort: Option<AbortHandle>,
    outcome: Arc<Mutex<Option<Result<String, BatchError>>>>,
}

struct Library {
    pool: LocalPool,
    loader: Loader<u32, String>,
    calls: Arc<Mutex<Vec<Arc<Call>>>>,
    waiters: Arc<Mutex<Vec<Waiter>>>,
    log: Log,
    /// The loader, for its own function.
    itself: Arc<Mutex<Option<Loader<u32, String>>>>,
}

/// Breaks the circles of the loader, its function and its loads.
impl Drop for Library {
    fn drop(&mut self) {
        let itself = self.itself.lock().unwrap().take();
        let waiters = std::mem::take(&mut *self.waiters.lock().unwrap());
        drop((itself, waiters));
    }
}

impl Face for Library {
    fn new(settings: &Settings) -> Self {
        let (log, calls) = (Log::default(), Arc::<Mutex<Vec<Arc<Call>>>>::default());
        let waiters = Arc::<Mutex<Vec<Waiter>>>::default();
        let itself: Arc<Mutex<Option<Loader<u32, String>>>> = Arc::default();
        let function = {
            let (log, calls, waiters) = (log.clone(), Arc::clone(&calls), Arc::clone(&waiters));
            let itself = Arc::clone(&itself);
            move |keys: Vec<u32>| {
                let call = Arc::new(Call::default());
                calls.lock().unwrap().push(Arc::clone(&call));
                let number = calls.lock().unwrap().len();
                log.add(event::call(number, &keys));
                let running = Running { number, log: log.clone(), has_returned: false };
                let (waiters, itself) = (Arc::clone(&waiters), Arc::clone(&itself));
                async move {
                    let mut running = running;
                    loop {
                        match next_order(&call).await {
                            Order::Return(answer) => {
                                running.has_returned = true;
                                return answer;
                            }
                            Order::Load(key) => {
                                let load = itself.lock().unwrap().as_ref().unwrap().load(key);
                                let outcome = Arc::default();
                                waiters.lock().unwrap().push(Waiter {
                                    key,
                                    load: None,
                                    abort: None,
                                    outcome: Arc::clone(&outcome),
                                });
                                let loaded = load.await;
                                *outcome.lock().unwrap() = Some(loaded);
                            }
                        }
                    }
                }
            }
        };
        let mut loader = Loader::try_new(function);
        if let Some(keys) = settings.max_batch_size {
            loader = loader.max_batch_size(keys);
        }
        if let Some(batches) = settings.max_in_flight {
            loader = loader.max_in_flight(batches);
        }
        if let Some(timeout) = settings.timeout {
            loader = loader.timeout(Duration::from_millis(timeout));
        }
        if let Some(delay) = settings.max_delay {
            loader = loader.max_delay(Duration::from_millis(delay));
        }
        if let Some(time) = settings.hold {
            loader = loader.hold(Duration::from_millis(time));
        }
        if settings.caches {
            loader = loader.cache();
        }
        if settings.caches_errors {
            loader = loader.cache_errors();
        }
        if let Some(default) = settings.default.clone() {
            loader = loader.default_with(move |_| default.clone());
        }
        *itself.lock().unwrap() = Some(loader.clone());
        Self { pool: LocalPool::new(), loader, calls, waiters, log, itself }
    }

    fn act(&mut self, action: &Action) -> Vec<String> {
        match action {
            Action::Load(keys) => keys.iter().for_each(|&key| self.load(key)),
            Action::Prime(key, value) => self.loader.prime(*key, value.clone()),
            Action::Clear(key) => self.loader.clear(key),
            Action::ClearAll => self.loader.clear_all(),
            Action::Cancel(key) => self.cancel(*key),
            Action::Call(key) => {
                let value = self.loader.load(*key).value().map_err(|error| kind(&error));
                self.log.add(event::outcome(*key, &value));
            }
            Action::Answer(call, answer) => {
                let answer = answer.clone().into_iter().collect();
                self.order(*call, Order::Return(Ok(answer)));
            }
            Action::Fail(call, error) => self.order(*call, Order::Return(Err(error.clone()))),
            Action::Ask(call, key) => self.order(*call, Order::Load(*key)),
            Action::Pass(time) => self.pass(Duration::from_millis(*time)),
            Action::Busy(time) => self.be_busy(Duration::from_millis(*time)),
            Action::Flush => {}
            Action::Stats(_) => unreachable!("the runner compares them"),
        }
        if action.lets_run() {
            self.run();
        }
        std::mem::take(&mut *self.log.0.lock().unwrap())
    }

    fn stats(&self) -> Stats {
        let stats = self.loader.stats();
        let (batches, keys) = (stats.batches, stats.keys);
        Stats { batches, keys, largest: stats.largest, hits: stats.hits }
    }
}

async fn next_order(call: &Call) -> Order {
    poll_fn(|cx| {
        if let Some(order) = call.orders.lock().unwrap().pop() {
            return Poll::Ready(order);
        }
        *call.waker.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// The kind of an error, as scenarios name it.
fn kind(error: &BatchError) -> String {
    let error = std::error::Error::source(error).expect("an error of a load");
    match error.downcast_ref() {
        Some(LoadError::Missing { .. }) => "missing".to_owned(),
        Some(LoadError::SelfWait { .. }) => "itself".to_owned(),
        Some(LoadError::Failed { error, .. }) if error.is::<TimeoutError>() => "late".to_owned(),
        Some(LoadError::Failed { error, .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

impl Library {
    fn load(&self, key: u32) {
        let load = Some(self.loader.load(key));
        let waiter = Waiter { key, load, abort: None, outcome: Arc::default() };
        self.waiters.lock().unwrap().push(waiter);
    }

    fn cancel(&self, key: u32) {
        let index = self.waiters.lock().unwrap().iter().rposition(|waiter| waiter.key == key);
        let waiter = self.waiters.lock().unwrap().remove(index.expect("a load of the key"));
        if let Some(abort) = waiter.abort {
            abort.abort();
        }
    }

    fn order(&self, call: usize, order: Order) {
        let call = Arc::clone(&self.calls.lock().unwrap()[call - 1]);
        call.orders.lock().unwrap().push(order);
        if let Some(waker) = call.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    /// Lets time pass, while timers fire.
    fn pass(&mut self, time: Duration) {
        thread::sleep(time);
        // The thread of the timers may be late, but timers fire in the order of their times.
        for _ in 0..3 {
            self.pool.run_until(Delay::new(Duration::from_millis(1)));
            self.run();
        }
    }

    /// Lets time pass, in which a task can always run.
    fn be_busy(&mut self, time: Duration) {
        self.spawn_waiters();
        let end = Instant::now() + time;
        let mut busy = AsyncTask::new(async {
            loop {
                yield_now().await;
            }
        });
        self.pool.run_until(poll_fn(|cx| {
            if Instant::now() < end {
                let Poll::<()>::Pending = busy.poll_unpin(cx) else { unreachable!() };
                return Poll::Pending;
            }
            Poll::Ready(())
        }));
    }

    /// Lets everything run, until nothing can run any more.
    fn run(&mut self) {
        self.spawn_waiters();
        self.pool.run_until_stalled();
        self.waiters.lock().unwrap().retain(|waiter| {
            let outcome = waiter.outcome.lock().unwrap().take();
            let ended = outcome.map(|outcome| outcome.map_err(|error| kind(&error)));
            if let Some(outcome) = &ended {
                self.log.add(event::outcome(waiter.key, outcome));
            }
            ended.is_none()
        });
    }

    /// Lets tasks await the new loads.
    fn spawn_waiters(&self) {
        for waiter in &mut *self.waiters.lock().unwrap() {
            let Some(load) = waiter.load.take() else { continue };
            let outcome = Arc::clone(&waiter.outcome);
            let (abort, registration) = AbortHandle::new_pair();
            waiter.abort = Some(abort);
            let awaited =
                AsyncTask::new(load.map(move |loaded| *outcome.lock().unwrap() = Some(loaded)));
            let task = Abortable::new(awaited, registration).map(|_| ());
            self.pool.spawner().spawn_local(task).unwrap();
        }
    }
}
