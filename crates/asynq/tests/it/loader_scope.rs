//! Scopes of loaders: each has a cache of its own.

use asynq::{AsyncTask, FutureBase, all, with_context};

use crate::common::{Log, later};
use crate::loader_cache::{load, tens};

#[test]
fn each_scope_keeps_its_own() {
    let log = Log::new();
    let tens = tens(&log);
    let request = || {
        let tens = tens.clone();
        AsyncTask::new(async move {
            with_context(tens.scope(), async {
                load(&tens, 1).await;
                load(&tens, 1).await;
                load(&tens, 2).await
            })
            .await
        })
    };
    assert_eq!(request().value(), 20);
    assert_eq!(log.take(), "load [1]\nload [2]\n");
    assert_eq!(request().value(), 20);
    assert_eq!(log.take(), "load [1]\nload [2]\n");
}

#[test]
fn scopes_share_what_is_in_flight_and_each_keeps_it() {
    let log = Log::new();
    let tens = tens(&log);
    let request = || {
        let tens = tens.clone();
        AsyncTask::new(async move {
            with_context(tens.scope(), async {
                load(&tens, 1).await;
                later(1).await;
                load(&tens, 1).await
            })
            .await
        })
    };
    assert_eq!(all([request(), request()]).value(), [10, 10]);
    assert_eq!(log.take(), "load [1]\n");
}

#[test]
fn outside_of_its_scopes_nothing_is_kept_unless_asked() {
    let log = Log::new();
    let tens = tens(&log);
    drop(tens.scope());
    load(&tens, 1).value();
    load(&tens, 1).value();
    assert_eq!(log.take(), "load [1]\nload [1]\n");
}

#[test]
fn a_scope_keeps_what_a_load_outside_of_it_has_in_flight() {
    let log = Log::new();
    let tens = tens(&log);
    let outside = load(&tens, 1);
    let inside = {
        let tens = tens.clone();
        AsyncTask::new(with_context(tens.scope(), async move {
            load(&tens, 1).await;
            load(&tens, 1).await
        }))
    };
    assert_eq!(all([outside, inside]).value(), [10, 10]);
    assert_eq!(log.take(), "load [1]\n");
}
