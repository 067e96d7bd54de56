//! Functions whose values are kept: `alru_cache`, `alazy_constant`, `acached_per_instance`.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

mod lazy_constant;
mod lru_cache;
mod per_instance;
mod reentrancy;

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
