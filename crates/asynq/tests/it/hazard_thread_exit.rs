//! Threads that end while something is pending: it is freed, and nothing breaks.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use asynq::{AsyncTask, BatchItem, FutureBase, Promise, Source, debug, promise};

use crate::common::{Log, Store, assert_usable, poll_once, store};

/// Says when it is dropped.
struct Tell(&'static str, Sender<&'static str>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.1.send(self.0).expect("the test listens");
    }
}

/// Values that a thread leaves behind, dropped in the order of the fields.
#[derive(Default)]
struct Left {
    tasks: Vec<AsyncTask<()>>,
    items: Vec<BatchItem<Store>>,
    promises: Vec<Promise<Tell>>,
    sources: Vec<Source<Store>>,
}

thread_local! {
    static LEFT: RefCell<Left> = RefCell::default();
}

/// Runs `f` in a thread whose `LEFT` is dropped before its scheduler or after it, whatever the
/// platform's order, and returns what was told.
fn in_threads(f: fn(&Sender<&'static str>)) -> [Vec<&'static str>; 2] {
    [true, false].map(|left_first| {
        let (sender, told) = channel();
        let run = move || {
            if left_first {
                LEFT.with_borrow(|_| ());
            }
            assert_usable();
            f(&sender);
        };
        thread::spawn(run).join().expect("the thread ends well");
        told.iter().collect()
    })
}

/// Runs `task` until it waits.
fn start(task: AsyncTask<()>) -> AsyncTask<()> {
    let mut waiting = task.clone();
    AsyncTask::new(async move {
        assert!(poll_once(&mut waiting).await.is_pending());
        debug::sync_in("start").await;
    })
    .value();
    task
}

fn holding(sender: &Sender<&'static str>, name: &'static str) -> AsyncTask<()> {
    let local = Tell(name, sender.clone());
    AsyncTask::new(async move {
        debug::sync().await;
        drop(local);
    })
}

#[test]
fn a_task_that_never_started_frees_its_locals() {
    let told = in_threads(|sender| {
        let task = holding(sender, "local");
        LEFT.with_borrow_mut(|left| left.tasks.push(task));
    });
    assert_eq!(told, [["local"], ["local"]]);
}

#[test]
fn a_task_that_waits_for_a_batch_frees_its_locals() {
    let told = in_threads(|sender| {
        let task = start(holding(sender, "local"));
        LEFT.with_borrow_mut(|left| left.tasks.push(task));
    });
    assert_eq!(told, [["local"], ["local"]]);
}

#[test]
fn a_task_that_waits_for_another_frees_the_locals_of_both() {
    let told = in_threads(|sender| {
        let (inner, local) = (holding(sender, "inner"), Tell("outer", sender.clone()));
        let task = start(AsyncTask::new(async move {
            inner.await;
            drop(local);
        }));
        LEFT.with_borrow_mut(|left| left.tasks.push(task));
    });
    for mut told in told {
        told.sort_unstable();
        assert_eq!(told, ["inner", "outer"]);
    }
}

#[test]
fn a_task_that_another_thread_was_to_wake_frees_its_locals() {
    let told = in_threads(|sender| {
        let local = Tell("local", sender.clone());
        let (waker, woken) = channel();
        let task = start(AsyncTask::new(async move {
            std::future::poll_fn(|cx| {
                waker.send(cx.waker().clone()).expect("the thread listens");
                std::task::Poll::<()>::Pending
            })
            .await;
            drop(local);
        }));
        LEFT.with_borrow_mut(|left| left.tasks.push(task));
        let other = thread::spawn(move || woken.recv().expect("sent by the poll").wake());
        other.join().expect("it wakes a task that nobody calls");
    });
    assert_eq!(told, [["local"], ["local"]]);
}

#[test]
fn a_promise_that_was_not_set_frees_the_callbacks_of_its_future() {
    let told = in_threads(|sender| {
        let (promise, future) = promise::<Tell>();
        let tell = Tell("callback", sender.clone());
        future.on_computed(move || drop(tell));
        let task = start(AsyncTask::new(async move { drop(future.await) }));
        LEFT.with_borrow_mut(|left| {
            left.promises.push(promise);
            left.tasks.push(task);
        });
    });
    assert_eq!(told, [["callback"], ["callback"]]);
}

#[test]
fn a_source_and_an_item_that_nobody_awaited_are_freed() {
    let told = in_threads(|sender| {
        let numbers = store(&Log::new(), "numbers");
        let item = numbers.item(1);
        let tell = Tell("callback", sender.clone());
        item.on_computed(move || drop(tell));
        LEFT.with_borrow_mut(|left| {
            left.items.push(item);
            left.sources.push(numbers);
        });
    });
    assert_eq!(told, [["callback"], ["callback"]]);
}

#[test]
fn a_source_of_a_thread_is_freed_with_what_was_not_taken() {
    let told = in_threads(|_| {
        let numbers = store(&Log::new(), "numbers");
        let item = numbers.item(1);
        item.batch().flush();
        let task = start(AsyncTask::new({
            let numbers = numbers.clone();
            async move { drop(numbers.item(2).await) }
        }));
        LEFT.with_borrow_mut(|left| {
            left.items.push(item);
            left.sources.push(numbers);
            left.tasks.push(task);
        });
    });
    assert_eq!(told, [[""; 0]; 2]);
}
