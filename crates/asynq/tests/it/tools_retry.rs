//! `aretry`: calls that are made again when they fail.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use asynq::tools::{Aretry, RetryPolicy, amap, aretry};
use asynq::{AsyncTask, FutureBase, TaskErrorKind, all, asynq};
use expect_test::expect;
use futures::channel::oneshot;

use crate::common::{Log, assert_usable, logged, message_of, store};

/// A clock that stands still unless a test moves it.
#[derive(Clone, Default)]
struct Clock {
    log: Log,
    sleepers: Rc<RefCell<Vec<oneshot::Sender<()>>>>,
}

impl Clock {
    fn new(log: &Log) -> Self {
        Self { log: log.clone(), sleepers: Rc::default() }
    }

    async fn sleep(self, duration: Duration) {
        self.log.add(format_args!("sleeps {duration:?}"));
        let (sender, receiver) = oneshot::channel();
        self.sleepers.borrow_mut().push(sender);
        receiver.await.expect("woken by the test");
    }

    /// Wakes all who sleep.
    fn advance(&self) {
        self.log.add("time passes");
        for sleeper in self.sleepers.take() {
            let _gone = sleeper.send(());
        }
    }

    /// Three tries.
    fn policy(&self) -> RetryPolicy<String> {
        let clock = self.clone();
        RetryPolicy::new(3).with_timer(move |duration| clock.clone().sleep(duration))
    }

    /// A task that lets the time pass `times` times, whenever nothing else can run.
    fn passes(&self, times: u32) -> AsyncTask<()> {
        let clock = self.clone();
        AsyncTask::new(async move {
            for _ in 0..times {
                asynq::debug::sync().await;
                clock.advance();
            }
        })
    }
}

/// A function that fails the first `failures` times, and logs each of its calls.
fn failing(log: &Log, failures: u32) -> impl Fn(u32) -> AsyncTask<Result<u32, String>> + 'static {
    let (log, left) = (log.clone(), Rc::new(Cell::new(failures)));
    move |n| {
        let (log, left) = (log.clone(), Rc::clone(&left));
        AsyncTask::new(async move {
            log.add(format_args!("tries {n}"));
            let failures = left.get();
            left.set(failures.saturating_sub(1));
            if failures == 0 { Ok(n) } else { Err(format!("{failures} more")) }
        })
    }
}

#[test]
fn what_succeeds_is_called_once() {
    let log = Log::new();
    let function = aretry(Clock::new(&log).policy(), failing(&log, 0));
    assert_eq!(function.call(7), Ok(7));
    assert_eq!(log.take(), "tries 7\n");
}

#[test]
fn what_fails_is_called_again() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let function = aretry(clock.policy(), failing(&log, 2));
    assert_eq!(all((function.asynq(7), clock.passes(2))).value().0, Ok(7));
    expect![[r#"
        tries 7
        sleeps 50ms
        time passes
        tries 7
        sleeps 50ms
        time passes
        tries 7
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_error_of_the_last_try_is_returned() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let function = aretry(clock.policy(), failing(&log, 9));
    assert_eq!(all((function.asynq(7), clock.passes(2))).value().0, Err("7 more".to_owned()));
}

#[test]
fn an_error_that_is_not_to_be_retried_is_returned_at_once() {
    let log = Log::new();
    let policy = Clock::new(&log).policy().retry_if(|error| !error.starts_with('9'));
    let function = aretry(policy, failing(&log, 9));
    assert_eq!(function.call(7), Err("9 more".to_owned()));
    assert_eq!(log.take(), "tries 7\n");
}

#[test]
fn a_backoff_knows_how_often_it_failed() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let policy = clock.policy().backoff(|failures| Duration::from_secs(10_u64.pow(failures)));
    let function = aretry(policy, failing(&log, 2));
    all((function.asynq(7), clock.passes(2))).value().0.unwrap();
    expect![[r#"
        tries 7
        sleeps 10s
        time passes
        tries 7
        sleeps 100s
        time passes
        tries 7
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn without_a_sleep_the_next_try_is_made_at_once() {
    let log = Log::new();
    let policy = Clock::new(&log).policy().sleep(Duration::ZERO);
    assert_eq!(aretry(policy, failing(&log, 2)).call(7), Ok(7));
    assert_eq!(log.take(), "tries 7\ntries 7\ntries 7\n");
}

#[test]
fn others_run_and_flush_while_it_waits() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let function = aretry(clock.policy(), failing(&log, 1));
    let numbers = store(&log, "numbers");
    let other = logged(&log, "other", numbers.item(1));
    let passes = AsyncTask::new(async move {
        other.await;
        clock.advance();
    });
    all((function.asynq(7), passes)).value().0.unwrap();
    expect![[r#"
        tries 7
        sleeps 50ms
        other starts
        flush numbers [1]
        other gets 10
        time passes
        tries 7
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn those_that_wait_to_retry_wait_together() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let functions = [1, 2].map(|n| aretry(clock.policy(), failing(&log, 1)).asynq(n));
    let values = all((AsyncTask::new(all(functions)), clock.passes(1))).value().0;
    assert_eq!(values, [Ok(1), Ok(2)]);
    expect![[r#"
        tries 1
        sleeps 50ms
        tries 2
        sleeps 50ms
        time passes
        tries 1
        tries 2
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn tries_that_are_made_together_share_a_flush() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let numbers = store(&log, "numbers");
    let function = aretry(clock.policy(), move |n: u32| {
        let item = numbers.item(n);
        AsyncTask::new(async move { Err::<(), _>(item.await.unwrap().to_string()) })
    });
    all((amap(|n| function.asynq(n), [1, 2]), clock.passes(4))).value();
    expect![[r#"
        flush numbers [1, 2]
        sleeps 50ms
        sleeps 50ms
        time passes
        flush numbers [1, 2]
        sleeps 50ms
        sleeps 50ms
        time passes
        flush numbers [1, 2]
        time passes
        time passes
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_panic_is_not_retried() {
    let log = Log::new();
    let function = {
        let log = log.clone();
        aretry(Clock::new(&log).policy(), move |(): ()| {
            let log = log.clone();
            AsyncTask::new(async move {
                log.add("tries");
                panic!("no luck")
            })
        })
    };
    let error = (function as Aretry<(), (), String>).asynq(()).outcome().unwrap_err();
    assert_eq!((error.kind(), error.message()), (TaskErrorKind::Panicked, "no luck"));
    assert_eq!(log.take(), "tries\n");
    assert_usable();
}

#[test]
fn one_that_nobody_wants_any_more_does_not_go_on() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let waits = aretry(clock.policy(), failing(&log, 1)).asynq(7);
    let task = AsyncTask::new(futures::future::select(waits, clock.passes(1)));
    drop(task.value());
    clock.advance();
    assert_usable();
    expect![[r#"
        tries 7
        sleeps 50ms
        time passes
        time passes
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_plain_call_inside_a_task_waits_for_the_next_try() {
    let log = Log::new();
    let clock = Clock::new(&log);
    let function = aretry(clock.policy(), failing(&log, 1));
    let calls = AsyncTask::new(async move {
        let passes = clock.passes(1);
        let both = AsyncTask::new(async move { all((function.asynq(7), passes)).await.0 });
        both.value()
    });
    assert_eq!(calls.value(), Ok(7));
}

#[test]
fn without_a_timer_of_ones_own_time_passes_by_itself() {
    #[asynq]
    async fn fails_unless(tries: Rc<Cell<u32>>) -> Result<(), ()> {
        tries.set(tries.get() + 1);
        if tries.get() > 1 { Ok(()) } else { Err(()) }
    }

    let policy = RetryPolicy::default().sleep(Duration::from_nanos(1));
    assert_eq!(aretry(policy, fails_unless::asynq).call(Rc::default()), Ok(()));
}

#[test]
fn no_tries_at_all_are_refused() {
    let message = message_of(|| RetryPolicy::<()>::new(0));
    expect!["`max_tries` must be 1 or more, since it includes the first call, got 0"]
        .assert_eq(&message);
}
