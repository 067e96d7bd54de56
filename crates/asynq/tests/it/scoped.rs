//! Values that a task overrides for itself and what it awaits.

use asynq::{AsyncTask, FutureBase, ScopedValue, all, debug, with_context};

use crate::common::{poll_once, source};

#[test]
fn an_override_holds_for_what_its_task_awaits_and_for_no_other() {
    let level = ScopedValue::new(0);
    let reads = |rounds: usize| {
        let level = level.clone();
        AsyncTask::new(async move {
            for _ in 0..rounds {
                debug::sync().await;
            }
            level.get()
        })
    };
    let one = AsyncTask::new(with_context(level.override_with(1), reads(2)));
    let two = AsyncTask::new(with_context(level.override_with(2), reads(2)));
    assert_eq!(all([one, reads(1), two, reads(3)]).value(), [1, 0, 2, 0]);
    assert_eq!(level.get(), 0);
}

#[test]
fn overrides_nest() {
    let level = ScopedValue::new(0);
    let task = {
        let level = level.clone();
        AsyncTask::new(with_context(level.override_with(1), async move {
            let inner = with_context(level.override_with(2), async {
                debug::sync().await;
                level.get()
            });
            let inner = inner.await;
            debug::sync().await;
            (inner, level.get())
        }))
    };
    assert_eq!(task.value(), (2, 1));
    assert_eq!(level.get(), 0);
}

#[test]
fn a_value_set_within_an_override_ends_with_it() {
    let level = ScopedValue::new(0);
    let task = {
        let level = level.clone();
        AsyncTask::new(with_context(level.override_with(1), async move {
            level.set(7);
            debug::sync().await;
            level.get()
        }))
    };
    assert_eq!(task.value(), 7);
    assert_eq!(level.get(), 0);
}

#[test]
fn an_override_ends_when_its_task_panics() {
    let level = ScopedValue::new(0);
    let task: AsyncTask<()> = AsyncTask::new(with_context(level.override_with(1), async {
        debug::sync().await;
        panic!("no")
    }));
    task.outcome().unwrap_err();
    assert_eq!(level.get(), 0);
}

#[test]
fn an_override_ends_where_its_future_is_dropped() {
    let level = ScopedValue::new(0);
    let task = {
        let level = level.clone();
        AsyncTask::new(async move {
            let mut dropped = Box::pin(with_context(level.override_with(1), debug::sync()));
            assert!(poll_once(&mut dropped).await.is_pending());
            let inner = level.clone();
            let inside = with_context(level.override_with(2), async move {
                drop(dropped);
                inner.get()
            });
            (inside.await, level.get())
        })
    };
    assert_eq!(task.value(), (2, 0));
    assert_eq!(level.get(), 0);
}

#[test]
fn an_override_is_in_force_during_a_flush_if_all_who_wait_are_under_it() {
    let level = ScopedValue::new(0);
    let levels = {
        let level = level.clone();
        source("levels", move |items| items.set_values(|_| Some(level.get())))
    };
    let inside = |level: &ScopedValue<u32>, key| {
        AsyncTask::new(with_context(level.override_with(1), levels.item(key)))
    };
    let seen = all([inside(&level, 0), AsyncTask::new(levels.item(1))]).value();
    assert_eq!(seen.map(Result::unwrap), [0, 0]);
    assert_eq!(inside(&level, 2).value().unwrap(), 1);
}
