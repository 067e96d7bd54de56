//! Functions whose values are kept: `alru_cache`, `alazy_constant`, `acached_per_instance`.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use asynq::tools::{
    AcachedPerInstance, AlazyConstant, AlruCache, acached_per_instance, alazy_constant, alru_cache,
    alru_cache_by, amap,
};
use asynq::{AsyncTask, FutureBase, ScopedValue, TaskErrorKind, all, asynq, debug, with_context};
use expect_test::expect;
use futures::future::{Either, select};

use crate::common::{Log, assert_usable, message_of, store};

/// A function that writes its argument into a log, takes a round, and returns ten times it.
fn logging(log: &Log) -> impl Fn(u32) -> AsyncTask<u32> + 'static {
    let log = log.clone();
    move |n| {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add(format_args!("runs {n}"));
            debug::sync().await;
            10 * n
        })
    }
}

/// A function that counts its calls.
fn counting() -> impl Fn() -> AsyncTask<u32> + 'static {
    let calls = Rc::new(Cell::new(0));
    move || {
        let calls = Rc::clone(&calls);
        AsyncTask::new(async move {
            calls.set(calls.get() + 1);
            calls.get()
        })
    }
}

mod lru_cache {
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
}

mod reentrancy {
    use super::*;

    type Slot = Rc<RefCell<Option<AlruCache<u32, Calls>>>>;

    /// A value that calls the cache it is kept in when it is cloned or dropped.
    struct Calls {
        log: Log,
        cache: Slot,
    }

    impl Calls {
        fn call(&self, when: &str) {
            if let Some(cache) = self.cache.take() {
                self.log.add(format_args!("calls while it is {when}"));
                cache.call(2);
            }
        }
    }

    impl Clone for Calls {
        fn clone(&self) -> Self {
            self.call("cloned");
            Self { log: self.log.clone(), cache: Rc::clone(&self.cache) }
        }
    }

    impl Drop for Calls {
        fn drop(&mut self) {
            self.call("dropped");
        }
    }

    /// A cache with a value in it, and where to put the cache that this calls.
    fn cache_of_callers(log: &Log) -> (AlruCache<u32, Calls>, Slot) {
        let called = Rc::default();
        let cache = {
            let (log, called) = (log.clone(), Rc::clone(&called));
            alru_cache(1, move |n: u32| {
                let calls = Calls { log: log.clone(), cache: Rc::clone(&called) };
                AsyncTask::new(async move {
                    calls.log.add(format_args!("runs {n}"));
                    calls
                })
            })
        };
        cache.call(1);
        (cache, called)
    }

    #[test]
    fn a_value_may_call_its_cache_while_it_is_cloned() {
        let log = Log::new();
        let (cache, called) = cache_of_callers(&log);
        called.replace(Some(cache.clone()));
        cache.call(1);
        expect![[r#"
            runs 1
            calls while it is cloned
            runs 2
        "#]]
        .assert_eq(&log.take());
    }

    #[test]
    fn a_value_may_call_its_cache_while_it_is_dropped() {
        let log = Log::new();
        let (cache, called) = cache_of_callers(&log);
        called.replace(Some(cache.clone()));
        cache.dirty(&1);
        expect![[r#"
            runs 1
            calls while it is dropped
            runs 2
        "#]]
        .assert_eq(&log.take());
    }

    #[test]
    fn what_is_kept_may_be_decided_by_a_call_of_the_cache() {
        thread_local! {
            static CACHE: AlruCache<u32, u32> =
                alru_cache(9, |n| AsyncTask::new(async move { n }))
                    .keep_if(|&n| n == 0 || CACHE.with(|cache| cache.call(n - 1)) == n - 1);
        }

        assert_eq!(CACHE.with(|cache| cache.call(3)), 3);
    }
}

mod lazy_constant {
    use super::*;

    /// A constant with a clock that stands still unless the test moves it.
    fn with_hand(ttl: u64) -> (AlazyConstant<u32>, impl Fn(u64)) {
        let now = Rc::new(Cell::new(Instant::now()));
        let constant = {
            let now = Rc::clone(&now);
            alazy_constant(Duration::from_secs(ttl), counting()).with_clock(move || now.get())
        };
        (constant, move |seconds| now.set(now.get() + Duration::from_secs(seconds)))
    }

    #[test]
    fn it_is_computed_once() {
        let constant = alazy_constant(None, counting());
        assert_eq!(all((constant.asynq(), constant.asynq())).value(), (1, 1));
        assert_eq!(constant.call(), 1);
    }

    #[test]
    fn it_takes_what_the_attribute_makes() {
        #[asynq]
        async fn answer() -> u32 {
            42
        }

        assert_eq!(alazy_constant(None, answer::asynq).call(), 42);
    }

    #[test]
    fn after_dirty_it_is_computed_again() {
        let constant = alazy_constant(None, counting());
        constant.call();
        constant.dirty();
        assert_eq!([constant.call(), constant.call()], [2, 2]);
    }

    #[test]
    fn it_is_computed_again_when_its_time_is_over() {
        let (constant, pass) = with_hand(60);
        let mut values = Vec::new();
        for seconds in [0, 59, 1, 59, 1] {
            pass(seconds);
            values.push(constant.call());
        }
        assert_eq!(values, [1, 1, 2, 2, 3]);
    }

    #[test]
    fn its_time_begins_when_it_is_known() {
        let (now, count) = (Rc::new(Cell::new(Instant::now())), counting());
        let takes_a_minute = {
            let now = Rc::clone(&now);
            move || {
                let (now, count) = (Rc::clone(&now), count());
                AsyncTask::new(async move {
                    now.set(now.get() + Duration::from_secs(60));
                    count.await
                })
            }
        };
        let constant =
            alazy_constant(Duration::from_secs(60), takes_a_minute).with_clock(move || now.get());
        assert_eq!([constant.call(), constant.call()], [1, 1]);
    }

    #[test]
    fn what_was_under_way_when_it_became_dirty_is_not_kept() {
        let count = counting();
        let constant = alazy_constant(None, move || {
            let task = count();
            AsyncTask::new(async move {
                let n = task.await;
                debug::sync().await;
                n
            })
        });
        let (before, dirties) = (constant.asynq(), constant.clone());
        let between = AsyncTask::new(async move { dirties.dirty() });
        assert_eq!(all((before, between)).value(), (1, ()));
        assert_eq!(constant.call(), 2);
    }

    #[test]
    fn only_what_is_to_be_kept_is_kept() {
        let constant = alazy_constant(None, counting()).keep_if(|&n| n > 1);
        assert_eq!([(); 3].map(|()| constant.call()), [1, 2, 2]);
    }

    #[test]
    fn a_panic_is_not_kept() {
        let count = counting();
        let constant = alazy_constant(None, move || {
            let task = count();
            AsyncTask::new(async move {
                let n = task.await;
                assert!(n > 1, "no luck");
                n
            })
        });
        assert!(constant.asynq().outcome().is_err());
        assert_eq!(constant.call(), 2);
    }

    #[test]
    fn the_clock_may_ask_for_the_constant() {
        thread_local! {
            static CONSTANT: RefCell<Option<AlazyConstant<u32>>> = RefCell::default();
        }

        let asks = || {
            if let Some(constant) = CONSTANT.take() {
                constant.dirty();
            }
            Instant::now()
        };
        let constant = alazy_constant(Duration::MAX, counting()).with_clock(asks);
        constant.call();
        CONSTANT.set(Some(constant.clone()));
        assert_eq!([constant.call(), constant.call()], [1, 2]);
    }
}

mod per_instance {
    use super::*;

    #[derive(Clone)]
    struct Account {
        log: Log,
        id: u32,
        /// Something whose handles can be counted.
        alive: Rc<()>,
        balance: AcachedPerInstance<Account, u32, Rc<()>>,
    }

    #[asynq]
    impl Account {
        fn new(log: &Log, id: u32) -> Self {
            Self {
                log: log.clone(),
                id,
                alive: Rc::default(),
                balance: acached_per_instance(Account::ask_balance_asynq),
            }
        }

        async fn ask_balance(&self, year: u32) -> Rc<()> {
            self.log.add(format_args!("account {}, year {year}", self.id));
            debug::sync().await;
            Rc::clone(&self.alive)
        }
    }

    #[test]
    fn each_object_has_a_cache_of_its_own() {
        let log = Log::new();
        let accounts = [Account::new(&log, 1), Account::new(&log, 2)];
        for (account, year) in [(0, 7), (1, 7), (0, 7), (1, 8), (0, 8), (1, 8)] {
            let account: &Account = &accounts[account];
            account.balance.call(account, year);
        }
        expect![[r#"
            account 1, year 7
            account 2, year 7
            account 2, year 8
            account 1, year 8
        "#]]
        .assert_eq(&log.take());
    }

    #[test]
    fn what_is_kept_is_freed_with_the_object() {
        let account = Account::new(&Log::new(), 1);
        let alive = Rc::clone(&account.alive);
        all([account.balance.asynq(&account, 7), account.balance.asynq(&account, 8)]).value();
        assert_eq!(Rc::strong_count(&alive), 4, "here, in the account, and twice in its cache");
        drop(account);
        assert_eq!(Rc::strong_count(&alive), 1);
    }

    #[test]
    fn clones_of_an_object_share_its_cache() {
        let log = Log::new();
        let account = Account::new(&log, 1);
        let clone = account.clone();
        account.balance.call(&account, 7);
        clone.balance.call(&clone, 7);
        assert_eq!(log.take(), "account 1, year 7\n");
    }

    #[test]
    fn equal_calls_under_way_share_a_task() {
        let log = Log::new();
        let account = Account::new(&log, 1);
        all([7, 8, 7].map(|year| account.balance.asynq(&account, year))).value();
        assert_eq!(log.take(), "account 1, year 7\naccount 1, year 8\n");
    }

    #[test]
    fn after_dirty_the_next_call_asks_again() {
        let log = Log::new();
        let account = Account::new(&log, 1);
        account.balance.call(&account, 7);
        account.balance.dirty(&7);
        account.balance.call(&account, 7);
        assert_eq!(log.take(), "account 1, year 7\naccount 1, year 7\n");
    }

    #[test]
    fn a_method_of_an_rc_can_be_cached() {
        struct Shared {
            balance: AcachedPerInstance<Rc<Shared>, (), u32>,
        }

        #[asynq]
        impl Shared {
            async fn ask(self: Rc<Self>, (): ()) -> u32 {
                7
            }
        }

        let shared = Rc::new(Shared {
            balance: acached_per_instance(|this: &Rc<Shared>, ()| Rc::clone(this).ask_asynq(())),
        });
        assert_eq!(shared.balance.call(&shared, ()), 7);
    }
}

#[test]
fn a_cache_that_varies_on_a_scoped_value_keeps_a_value_for_each() {
    let log = Log::new();
    let user = ScopedValue::new("nobody");
    let cache = {
        let (log, its_user) = (log.clone(), user.clone());
        alru_cache(10, move |n: u32| {
            let (log, user) = (log.clone(), its_user.clone());
            AsyncTask::new(async move {
                debug::sync().await;
                log.add(format_args!("{n} for {}", user.get()));
                user.get()
            })
        })
        .keep_if(|&user| user != "nobody")
        .vary_on(&user)
    };
    let request = |name| {
        let cache = cache.clone();
        AsyncTask::new(with_context(user.override_with(name), async move { cache.asynq(1).await }))
    };
    assert_eq!(all(["admin", "guest", "admin"].map(request)).value(), ["admin", "guest", "admin"]);
    assert_eq!(request("guest").value(), "guest");
    assert_eq!((cache.call(1), cache.call(1)), ("nobody", "nobody"));
    expect![[r#"
        1 for admin
        1 for guest
        1 for nobody
        1 for nobody
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn dirty_forgets_the_value_for_the_scoped_values_of_its_caller() {
    let log = Log::new();
    let user = ScopedValue::new(0);
    let cache = alru_cache(10, logging(&log)).vary_on(&user);
    cache.call(1);
    asynq::call_with_context(user.override_with(1), || {
        cache.call(1);
        cache.dirty(&1);
        cache.call(1);
    });
    cache.call(1);
    assert_eq!(log.take(), "runs 1\nruns 1\nruns 1\n");
}

#[test]
fn a_cache_of_an_object_that_varies_on_a_scoped_value_keeps_a_value_for_each() {
    let log = Log::new();
    let user = ScopedValue::new(0);
    let method = logging(&log);
    let cache = acached_per_instance(move |&base: &u32, n| method(base + n)).vary_on(&user);
    assert_eq!((cache.call(&1, 1), cache.call(&1, 1)), (20, 20));
    asynq::call_with_context(user.override_with(1), || cache.call(&1, 1));
    assert_eq!(log.take(), "runs 2\nruns 2\n");
    cache.dirty(&1);
    cache.call(&1, 1);
    assert_eq!(log.take(), "runs 2\n");
}
