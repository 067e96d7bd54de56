//! Values of `alru_cache` that call the cache.

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
