//! Groups of loaders: their scopes, their limit and their clear.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use asynq::loader::LocalGroup;
use asynq::{AsyncTask, FutureBase, LocalLoader, all, call_with_context, with_context};
use expect_test::expect;

use crate::common::{Log, later};
use crate::loader_cache::{load, tens};
use crate::loader_flight::{by_hand, slow};

/// Two loaders of a group.
fn two(log: &Log, group: &LocalGroup) -> [LocalLoader<u32, u32>; 2] {
    [tens(log).group(group), tens(log).group(group)]
}

#[test]
fn in_a_scope_each_loader_of_the_group_has_a_cache() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let [one, two] = two(&log, &group);
    let request = {
        let (one, two) = (one.clone(), two.clone());
        AsyncTask::new(with_context(group.scope(), async move {
            let loaded = [load(&one, 1).await, load(&two, 2).await];
            (loaded, load(&one, 1).await, load(&two, 1).await)
        }))
    };
    assert_eq!(request.value(), ([10, 20], 10, 10));
    assert_eq!(log.take(), "load [1]\nload [2]\nload [1]\n");
    load(&one, 1).value();
    assert_eq!(log.take(), "load [1]\n", "outside of the scope, nothing is cached");
}

#[test]
fn scopes_of_a_group_do_not_see_each_other() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let tens = tens(&log).group(&group);
    let request = || {
        let tens = tens.clone();
        AsyncTask::new(with_context(group.scope(), async move {
            let first = load(&tens, 1).await;
            later(1).await;
            first + load(&tens, 1).await
        }))
    };
    assert_eq!(all([request(), request()]).value(), [20, 20]);
    assert_eq!(log.take(), "load [1]\n", "they share what is in flight");
    request().value();
    assert_eq!(log.take(), "load [1]\n");
}

#[test]
fn a_loader_that_joins_in_a_scope_has_a_cache_in_it() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let request = {
        let (log, group) = (log.clone(), group.clone());
        with_context(group.clone().scope(), async move {
            let tens = tens(&log).group(&group);
            later(1).await;
            load(&tens, 1).await + load(&tens, 1).await
        })
    };
    assert_eq!(AsyncTask::new(request).value(), 20);
    assert_eq!(log.take(), "load [1]\n");
}

#[test]
fn a_loader_that_joins_while_a_scope_is_paused_has_a_cache_in_it() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let late: Rc<RefCell<Option<LocalLoader<u32, u32>>>> = Rc::default();
    let request = {
        let late = Rc::clone(&late);
        AsyncTask::new(with_context(group.scope(), async move {
            later(1).await;
            let tens = late.borrow().clone().unwrap();
            load(&tens, 1).await + load(&tens, 1).await
        }))
    };
    let joins = {
        let (log, group) = (log.clone(), group.clone());
        AsyncTask::new(async move { late.replace(Some(tens(&log).group(&group))) })
    };
    assert_eq!(all((request, joins)).value().0, 20);
    assert_eq!(log.take(), "load [1]\n");
}

#[test]
fn the_scope_of_a_loader_counts_inside_that_of_its_group() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let tens = tens(&log).group(&group);
    let loads = || (load(&tens, 1).value(), load(&tens, 1).value());
    call_with_context(group.scope(), || {
        loads();
        call_with_context(tens.scope(), loads);
        loads();
    });
    assert_eq!(log.take(), "load [1]\nload [1]\n");
}

#[test]
fn the_scope_of_a_group_counts_inside_that_of_a_loader() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let tens = tens(&log).group(&group);
    let loads = || (load(&tens, 1).value(), load(&tens, 1).value());
    call_with_context(tens.scope(), || {
        loads();
        call_with_context(group.scope(), || {
            loads();
            call_with_context(group.scope(), loads);
        });
        loads();
    });
    assert_eq!(log.take(), "load [1]\nload [1]\nload [1]\n");
}

#[test]
fn a_clear_of_the_group_clears_each_loader_in_the_scope() {
    let (log, group) = (Log::new(), LocalGroup::new());
    let [one, two] = two(&log, &group);
    let outside = tens(&log).cache();
    load(&outside, 7).value();
    call_with_context(group.scope(), || {
        let loads = || (load(&one, 1).value(), load(&two, 2).value(), load(&outside, 7).value());
        loads();
        assert_eq!(log.take(), "load [7]\nload [1]\nload [2]\n");
        group.clear_all();
        loads();
        assert_eq!(log.take(), "load [1]\nload [2]\n");
    });
}

#[test]
fn a_clear_of_the_group_detaches_what_is_in_flight() {
    let group = LocalGroup::new();
    let (answers, loader) = by_hand(&Log::new());
    let loader = loader.cache().group(&group);
    let first = loader.load(1);
    let clears = {
        let loader = loader.clone();
        AsyncTask::new(async move {
            later(1).await;
            group.clear_all();
            let second = loader.load(1);
            let answer = AsyncTask::new(async move {
                later(1).await;
                while let Some(answer) = crate::loader_flight::next(&answers) {
                    answer.set_value(());
                    later(1).await;
                }
            });
            all((second, answer)).await.0.unwrap()
        })
    };
    assert_eq!(all((first, clears)).value().1, 1);
    assert_eq!(loader.stats().batches, 2);
}

#[test]
fn a_loader_leaves_its_group_for_another() {
    let (log, [before, after]) = (Log::new(), [LocalGroup::new(), LocalGroup::new()]);
    let tens = tens(&log).cache().group(&before).group(&after);
    load(&tens, 1).value();
    before.clear_all();
    load(&tens, 1).value();
    assert_eq!(log.take(), "load [1]\n");
    after.clear_all();
    load(&tens, 1).value();
    assert_eq!(log.take(), "load [1]\n");
}

#[test]
fn a_group_does_not_keep_its_loaders() {
    let group = LocalGroup::new();
    let value = Rc::new(());
    for _ in 0..10 {
        let value = Rc::clone(&value);
        drop(
            LocalLoader::new(move |keys: Vec<u32>| vec![Rc::clone(&value); keys.len()])
                .group(&group),
        );
    }
    assert_eq!(Rc::strong_count(&value), 1);
    assert_eq!(format!("{group:?}"), "LocalGroup { loaders: 0, .. }");
}

#[test]
fn no_more_batches_of_a_group_are_in_flight_than_may_be() {
    let log = Log::new();
    let group = LocalGroup::new().max_in_flight(1);
    let [one, two, other] = ["one", "two", "other"].map(|name| slow(&log, name));
    let (one, two) = (one.group(&group), two.group(&group));
    drop(all((one.load(1), two.load(2), other.load(3))).value());
    expect![[r#"
        one begins [1]
        other begins [3]
        one ends [1]
        two begins [2]
        other ends [3]
        two ends [2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_function_that_is_not_async_waits_for_the_others_of_its_group() {
    let log = Log::new();
    let group = LocalGroup::new().max_in_flight(1);
    let plain = {
        let log = log.clone();
        LocalLoader::new(move |keys: Vec<u32>| {
            log.add(format_args!("plain {keys:?}"));
            keys
        })
    };
    let (plain, slow) = (plain.group(&group), slow(&log, "slow").group(&group));
    let later_plain = {
        let plain = plain.clone();
        AsyncTask::new(async move {
            later(1).await;
            plain.load(3).await.unwrap()
        })
    };
    drop(all((slow.load(1), plain.load(2), later_plain)).value());
    assert_eq!(log.take(), "slow begins [1]\nslow ends [1]\nplain [2, 3]\n");
}

#[test]
fn a_function_lends_the_permit_of_its_group_to_a_loader_that_it_awaits() {
    let log = Log::new();
    let group = LocalGroup::new().max_in_flight(1);
    let inner = slow(&log, "inner").group(&group);
    let outer = LocalLoader::try_new(async move |keys: Vec<u32>| inner.load_each(keys).await);
    let outer = outer.group(&group);
    assert_eq!(outer.load_many([1, 2]).value().unwrap(), [1, 2]);
    assert_eq!(log.take(), "inner begins [1, 2]\ninner ends [1, 2]\n");
}

#[test]
fn a_plain_call_in_a_function_of_the_group_does_not_wait_for_its_permit() {
    let group = LocalGroup::new().max_in_flight(1);
    let inner = LocalLoader::new(|keys: Vec<u32>| keys).group(&group);
    let outer = {
        let inner = inner.clone();
        LocalLoader::try_new(move |keys: Vec<u32>| inner.load_each(keys).value()).group(&group)
    };
    assert_eq!(outer.load_many([1, 2]).value().unwrap(), [1, 2]);
    assert_eq!(inner.stats().batches, 1);
}

/// A loader over a connection that runs one statement at a time.
fn statements(log: &Log, is_busy: &Rc<Cell<bool>>, name: &'static str) -> LocalLoader<u32, u32> {
    let (log, is_busy) = (log.clone(), Rc::clone(is_busy));
    LocalLoader::new(async move |keys: Vec<u32>| {
        assert!(!is_busy.replace(true), "the connection runs a statement");
        log.add(format_args!("{name} begins {keys:?}"));
        later(2).await;
        log.add(format_args!("{name} ends {keys:?}"));
        is_busy.set(false);
        keys
    })
}

#[test]
fn a_plain_call_waits_for_the_batch_of_the_group_that_is_in_flight_around_it() {
    let log = Log::new();
    let is_busy = Rc::default();
    let group = LocalGroup::new().max_in_flight(1);
    let [one, two] = ["one", "two"].map(|name| statements(&log, &is_busy, name).group(&group));
    let calls = AsyncTask::new(async move {
        later(1).await;
        two.load(2).value().unwrap()
    });
    assert_eq!(all((one.load(1), calls)).value().1, 2);
    expect![[r#"
        one begins [1]
        one ends [1]
        two begins [2]
        two ends [2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_plain_call_does_not_wait_for_a_batch_of_the_group_that_waits_for_its_task() {
    let group = LocalGroup::new().max_in_flight(1);
    let inner = LocalLoader::new(async |keys: Vec<u32>| keys).group(&group);
    let outer = LocalLoader::new(async move |keys: Vec<u32>| {
        let calls = inner.clone();
        AsyncTask::new(async move { calls.load_many(keys).value().unwrap() }).await
    });
    assert_eq!(outer.group(&group).load(1).value().unwrap(), 1);
}

#[test]
fn a_plain_call_does_not_wait_for_a_batch_of_the_group_that_only_its_caller_can_end() {
    let group = LocalGroup::new().max_in_flight(1);
    let (answers, busy) = by_hand(&Log::new());
    let (busy, inner) = (busy.group(&group), LocalLoader::new(async |keys: Vec<u32>| keys));
    let inner = inner.group(&group);
    let calls = AsyncTask::new(async move {
        later(1).await;
        let value = inner.load(2).value().unwrap();
        crate::loader_flight::next(&answers).expect("it is in flight").set_value(());
        value
    });
    assert_eq!(all((busy.load(1), calls)).value().1, 2);
}

#[test]
fn a_deadline_covers_the_wait_for_the_permit_of_the_group() {
    let group = LocalGroup::new().max_in_flight(1);
    let (answers, busy) = by_hand(&Log::new());
    let busy = busy.group(&group);
    let waits = LocalLoader::new(|keys: Vec<u32>| keys).group(&group);
    let waits = waits.timeout(Duration::from_millis(20)).name("waits");
    let late = {
        let waits = waits.clone();
        AsyncTask::new(async move {
            let error = waits.load(2).await.unwrap_err();
            crate::loader_flight::next(&answers).expect("it is in flight").set_value(());
            error.to_string()
        })
    };
    let late = all((busy.load(1), late)).value().1;
    assert_eq!(late, "batch waits: key 2: no answer within 20ms");
    assert_eq!(waits.stats().batches, 0);
}

#[test]
fn a_clear_of_a_group_may_drop_a_value_that_clears_it() {
    struct Clears(LocalGroup, Rc<Cell<usize>>);

    impl Drop for Clears {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            self.0.clear_all();
        }
    }

    let (group, dropped) = (LocalGroup::new(), Rc::new(Cell::new(0)));
    let loader = {
        let (group, dropped) = (group.clone(), Rc::clone(&dropped));
        LocalLoader::new(move |keys: Vec<u32>| {
            keys.iter()
                .map(|_| Rc::new(Clears(group.clone(), Rc::clone(&dropped))))
                .collect::<Vec<_>>()
        })
    };
    let loader = loader.cache().group(&group);
    drop(loader.load_many([1, 2]).value());
    group.clear_all();
    assert_eq!(dropped.get(), 2);
    drop(loader.load(3).value());
    assert_eq!(loader.stats().batches, 2);
}

#[test]
fn the_end_of_a_scope_may_drop_a_value_that_loads() {
    struct Loads(LocalLoader<u32, u32>);

    impl Drop for Loads {
        fn drop(&mut self) {
            self.0.load(7).value().unwrap();
        }
    }

    let (log, group) = (Log::new(), LocalGroup::new());
    let tens = tens(&log).group(&group);
    let loads = {
        let tens = tens.clone();
        LocalLoader::new(move |_: Vec<u32>| vec![Rc::new(Loads(tens.clone()))])
    };
    let loads = loads.group(&group);
    call_with_context(group.scope(), || drop(loads.load(1).value()));
    assert_eq!(log.take(), "load [7]\n");
}
