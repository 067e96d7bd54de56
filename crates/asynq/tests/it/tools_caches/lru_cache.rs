//! `alru_cache`: the last values are kept.

use super::*;

#[test]
fn what_was_returned_is_returned_again() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    assert_eq!([1, 2, 1, 2].map(|n| cache.call(n)), [10, 20, 10, 20]);
    assert_eq!(log.take(), "runs 1\nruns 2\n");
}

#[test]
fn it_works_inside_tasks() {
    thread_local! {
        static SQUARE: AlruCache<u32, u32> = alru_cache(2, square::asynq);
    }

    #[asynq]
    async fn square(n: u32) -> u32 {
        debug::sync().await;
        n * n
    }

    #[asynq]
    async fn sum() -> u32 {
        let first = SQUARE.with(|square| square.asynq(3)).await;
        first + SQUARE.with(|square| square.call(3))
    }

    assert_eq!(sum(), 18);
}

#[test]
fn what_was_used_longest_ago_is_forgotten_first() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    for n in [1, 2, 1, 3, 1, 2] {
        cache.call(n);
    }
    expect![[r#"
        runs 1
        runs 2
        runs 3
        runs 2
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn equal_calls_under_way_share_a_task() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    assert_eq!(amap(|n| cache.asynq(n), [1, 1, 2]).value(), [10, 10, 20]);
    assert_eq!(log.take(), "runs 1\nruns 2\n");
}

#[test]
fn calls_that_miss_share_a_flush() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let cache = alru_cache(10, move |n| {
        let item = numbers.item(n);
        AsyncTask::new(async { item.await.unwrap() })
    });
    cache.call(2);
    assert_eq!(amap(|n| cache.asynq(n), 1..=4).value(), [10, 20, 30, 40]);
    assert_eq!(log.take(), "flush numbers [2]\nflush numbers [1, 3, 4]\n");
}

#[test]
fn a_key_function_says_which_calls_are_equal() {
    let log = Log::new();
    let cache = alru_cache_by(1, |n| n % 2, logging(&log));
    assert_eq!([1, 3, 2, 3].map(|n| cache.call(n)), [10, 10, 20, 30]);
    assert_eq!(log.take(), "runs 1\nruns 2\nruns 3\n");
}

#[test]
fn a_panic_is_not_kept() {
    let lucky = Rc::new(Cell::new(false));
    let cache = {
        let lucky = Rc::clone(&lucky);
        alru_cache(1, move |n: u32| {
            let lucky = Rc::clone(&lucky);
            AsyncTask::new(async move {
                assert!(lucky.get(), "no luck");
                n
            })
        })
    };
    let message = message_of(|| cache.call(1));
    assert!(message.starts_with("no luck"), "{message}");
    lucky.set(true);
    assert_eq!(cache.call(1), 1);
    assert_usable();
}

#[test]
fn a_panic_reaches_all_who_share() {
    let cache = alru_cache(1, |(): ()| {
        AsyncTask::new(async {
            debug::sync().await;
            panic!("no luck")
        })
    });
    let asks = |task: AsyncTask<()>| AsyncTask::new(async move { task.outcome().is_err() });
    assert_eq!(all((asks(cache.asynq(())), asks(cache.asynq(())))).value(), (true, true));
}

#[test]
fn an_error_is_kept_like_any_value() {
    let count = counting();
    let cache = alru_cache(1, move |(): ()| {
        let task = count();
        AsyncTask::new(async move { Err::<(), _>(task.await) })
    });
    assert_eq!([cache.call(()), cache.call(())], [Err(1), Err(1)]);
}

#[test]
fn what_is_not_to_be_kept_is_asked_for_again() {
    let count = counting();
    let cache = alru_cache(1, move |(): ()| {
        let task = count();
        AsyncTask::new(async move {
            match task.await {
                n @ ..3 => Err(n),
                n => Ok(n),
            }
        })
    })
    .keep_if(Result::is_ok);
    assert_eq!([(); 4].map(|()| cache.call(())), [Err(1), Err(2), Ok(3), Ok(3)]);
}

#[test]
fn after_dirty_the_next_call_asks_again() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    cache.call(1);
    cache.call(2);
    cache.dirty(&1);
    cache.call(1);
    cache.call(2);
    assert_eq!(log.take(), "runs 1\nruns 2\nruns 1\n");
}

#[test]
fn what_was_under_way_when_it_became_dirty_is_not_shared() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    let before = cache.asynq(1);
    cache.dirty(&1);
    assert_eq!(all([before, cache.asynq(1)]).value(), [10, 10]);
    assert_eq!(log.take(), "runs 1\nruns 1\n");
}

#[test]
fn what_was_under_way_when_it_became_dirty_is_not_kept() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    let (before, dirties) = (cache.asynq(1), cache.clone());
    let between = AsyncTask::new(async move { dirties.dirty(&1) });
    all((before, between)).value();
    cache.call(1);
    assert_eq!(log.take(), "runs 1\nruns 1\n");
}

#[test]
fn a_call_that_nobody_wants_any_more_is_cancelled() {
    let log = Log::new();
    let cache = alru_cache(2, logging(&log));
    drop(cache.asynq(1));
    assert_eq!(log.take(), "");
    assert_eq!(cache.call(1), 10);
}

#[test]
fn a_thread_may_end_with_calls_under_way() {
    thread_local! {
        static LEFT: RefCell<Option<AsyncTask<u32>>> = RefCell::default();
        static CACHE: AlruCache<u32, u32> = alru_cache(2, logging(&Log::new()));
    }

    let thread = thread::spawn(|| {
        let task = CACHE.with(|cache| cache.asynq(1));
        match AsyncTask::new(select(task, ready(()))).value() {
            Either::Left(_) => panic!("it waits for a round"),
            Either::Right(((), task)) => LEFT.set(Some(task)),
        }
    });
    thread.join().unwrap();
}

#[test]
fn a_function_that_calls_itself_plainly_runs_again() {
    thread_local! {
        static RUNS: Cell<u32> = const { Cell::new(0) };
        static CACHE: AlruCache<u32, u32> = alru_cache(2, |n| AsyncTask::new(async move {
            RUNS.set(RUNS.get() + 1);
            if RUNS.get() < 2 { CACHE.with(|cache| cache.call(n)) } else { RUNS.get() }
        }));
    }

    assert_eq!(CACHE.with(|cache| cache.call(1)), 2);
}

#[test]
fn a_function_that_awaits_its_own_value_is_a_deadlock() {
    thread_local! {
        static CACHE: AlruCache<u32, u32> = alru_cache(2, |n| AsyncTask::new(async move {
            debug::sync().await;
            AsyncTask::new(async move { CACHE.with(|cache| cache.asynq(n)).await }).await
        }));
    }

    let error = CACHE.with(|cache| cache.asynq(1)).outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert!(error.message().contains("asynq::tools::alru_cache"), "{error}");
    assert_usable();
}

#[test]
fn a_cache_of_size_0_says_what_to_do() {
    let message = message_of(|| alru_cache(0, |n: u32| AsyncTask::new(async move { n })));
    expect!["the maxsize of `alru_cache` must be 1 or more, got 0"].assert_eq(&message);
}

#[test]
fn the_largest_size_takes_no_space_at_once() {
    assert_eq!(alru_cache(usize::MAX, logging(&Log::new())).call(1), 10);
}
