//! Memory: what is freed when, and that nothing stays behind.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use asynq::{AsyncTask, Batch, BatchItem, FutureBase, Items, LocalLoader, Source, debug};

use crate::common::{By, Later, knowing_itself, later, poll_once, source};

#[test]
fn an_ended_task_frees_its_value_with_the_last_handle() {
    let value = Rc::new(());
    let weak = Rc::downgrade(&value);
    let task = AsyncTask::new(async move { value });
    let handle = task.clone();
    drop(task.value());
    assert!(weak.upgrade().is_some());
    drop(handle);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_callback_is_freed_with_the_task_that_never_called_it() {
    let held = Rc::new(());
    let weak = Rc::downgrade(&held);
    let task = AsyncTask::new(async { 1 });
    task.on_computed(move || drop(held));
    drop(task);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_failed_task_frees_its_locals() {
    let held = Rc::new(());
    let weak = Rc::downgrade(&held);
    let task: AsyncTask<()> = AsyncTask::new(async move {
        debug::sync().await;
        panic!("with {held:?}")
    });
    let _error = task.outcome().unwrap_err();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_deadlock_frees_what_was_stuck() {
    let held = Rc::new(());
    let weak = Rc::downgrade(&held);
    let task = knowing_itself(|this: AsyncTask<()>| async move {
        this.await;
        drop(held);
    });
    task.outcome().unwrap_err();
    assert!(weak.upgrade().is_none());
}

/// A source, and whether anything of it is left.
fn watched<F: asynq::Flush>(
    flush: impl Fn(Items<By<F>>) -> F + 'static,
) -> (Source<By<F>>, Weak<()>) {
    let alive = Rc::new(());
    let weak = Rc::downgrade(&alive);
    let source = source("watched", move |items| {
        assert_eq!(Rc::strong_count(&alive), 1);
        flush(items)
    });
    (source, weak)
}

#[test]
fn a_source_is_freed_with_its_batch_though_that_was_never_flushed() {
    let (source, weak) = watched(|items| items.set_values(|&key| Some(key)));
    let items: Vec<BatchItem<_>> = (0..3).map(|key| source.item(key)).collect();
    drop(source);
    assert!(weak.upgrade().is_some(), "the items can still be asked for");
    drop(items);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_source_is_freed_after_its_batches_were_flushed() {
    let (source, weak) = watched(|items| items.set_values(|&key| Some(key)));
    for round in 0..3 {
        source.item(round).value().unwrap();
    }
    drop(source);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_source_is_freed_after_a_flush_that_awaited_something() {
    let (source, weak) = watched(|items| -> Later {
        Box::pin(async move {
            debug::sync().await;
            items.set_values(|&key| Some(key));
        })
    });
    source.item(1).value().unwrap();
    drop(source);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_source_is_freed_although_its_flush_was_begun_and_never_ended() {
    let (source, weak) = watched(|items| -> Later {
        Box::pin(async move {
            debug::sync().await;
            items.set_values(|&key| Some(key));
        })
    });
    source.item(1).batch().flush();
    drop(source);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_source_is_freed_after_the_task_that_waited_for_it_was_dropped() {
    let (source, weak) = watched(|items| items.set_values(|&key| Some(key)));
    let root = AsyncTask::new(async move {
        let mut waits = AsyncTask::new(source.item(1));
        assert!(poll_once(&mut waits).await.is_pending());
        drop((waits, source));
        debug::sync().await;
    });
    root.value();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_batch_that_a_task_waited_for_is_not_flushed_after_it_was_freed() {
    let (source, weak) = watched(|_| -> () { panic!("nobody can await its items") });
    let root = AsyncTask::new(async move {
        let first = debug::sync(); // Its batch is flushed first.
        let mut waits = AsyncTask::new(source.item(1));
        assert!(poll_once(&mut waits).await.is_pending());
        first.await;
        drop((waits, source));
        later(2).await;
    });
    root.value();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_source_is_freed_after_its_flush_panicked() {
    let (source, weak) = watched(|_| -> () { panic!("no") });
    let task = AsyncTask::new(source.item(1));
    task.outcome().unwrap_err();
    drop(source);
    assert!(weak.upgrade().is_none());
}

#[test]
fn the_keys_of_a_batch_are_freed_with_its_flush() {
    struct Rows;

    impl Batch for Rows {
        type Key = Rc<()>;
        type Value = ();
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|_| Some(()));
        }
    }

    let key = Rc::new(());
    let source = Source::new(Rows);
    let item = source.item(Rc::clone(&key));
    item.batch().flush();
    assert_eq!(Rc::strong_count(&key), 1);
    item.value().unwrap();
}

#[test]
fn the_keys_of_a_loader_are_freed_when_their_batch_has_ended() {
    let loader = LocalLoader::new(|keys: Vec<Rc<str>>| async move { vec![(); keys.len()] });
    let key: Rc<str> = "key".into();
    loader.load(Rc::clone(&key)).value().unwrap();
    assert_eq!(Rc::strong_count(&key), 1);
}

#[test]
fn a_value_that_nobody_takes_is_freed_with_its_item() {
    struct Rows(Rc<()>);

    impl Batch for Rows {
        type Key = u32;
        type Value = Rc<()>;
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|_| Some(Rc::clone(&self.0)));
        }
    }

    let value = Rc::new(());
    let source = Source::new(Rows(Rc::clone(&value)));
    let (first, second) = (source.item(1), source.item(2));
    drop(first.value().unwrap());
    drop((second, source));
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_task_of_a_thread_may_outlive_its_scheduler() {
    thread_local! {
        static KEPT: RefCell<Vec<AsyncTask<u32>>> = const { RefCell::new(Vec::new()) };
    }

    let thread = std::thread::spawn(|| {
        let blocked = AsyncTask::new(async {
            debug::sync().await;
            1
        });
        KEPT.with(|kept| kept.borrow_mut().push(blocked.clone()));
        AsyncTask::new(async move {
            let mut blocked = blocked;
            assert!(poll_once(&mut blocked).await.is_pending());
        })
        .value();
    });
    thread.join().expect("dropped while the thread ends");
}
