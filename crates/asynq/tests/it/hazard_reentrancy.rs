//! Code of a user's that calls back into what is at work on it: in `Drop`, in `Clone`, in callbacks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use asynq::{
    AsyncTask, Batch, BatchErrorKind, FutureBase, Items, LazyFuture, Source, TaskErrorKind, all,
    debug,
};
use expect_test::expect;

use crate::common::{
    Later, Log, assert_usable, knowing_itself, message_of, poll_once, source, store, without_lines,
};

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A place where a task finds a handle to be set later.
type Slot<T> = Rc<RefCell<Option<T>>>;

#[test]
fn a_local_that_asks_its_own_cancelled_task_gets_the_error() {
    let (log, this) = (Log::new(), Slot::<AsyncTask<()>>::default());
    let local = {
        let (log, this) = (log.clone(), Rc::clone(&this));
        OnDrop(move || {
            let this = this.take().expect("set before it is dropped");
            log.add(format_args!("{:?}", this.outcome().unwrap_err().kind()));
        })
    };
    let task = AsyncTask::new(async move {
        debug::sync().await;
        drop(local);
    });
    this.replace(Some(task.clone()));
    task.cancel();
    assert_eq!(log.take(), "Cancelled\n");
    assert_usable();
}

#[test]
fn a_local_may_call_what_waits_for_its_own_task_when_that_is_given_up() {
    let (log, waits) = (Log::new(), Slot::<AsyncTask<u32>>::default());
    let local = {
        let (log, waits) = (log.clone(), Rc::clone(&waits));
        OnDrop(move || {
            let waits = waits.take().expect("set before it is dropped");
            log.add(waits.value());
        })
    };
    let given_up: Slot<AsyncTask<()>> = Rc::new(RefCell::new(Some(AsyncTask::new(async move {
        debug::sync_in("own").await;
        drop(local);
    }))));
    let waiter = {
        let given_up = Rc::clone(&given_up);
        AsyncTask::new(async move {
            let asks = std::future::poll_fn(|cx| {
                let mut given_up = given_up.borrow_mut();
                given_up
                    .as_mut()
                    .map_or(std::task::Poll::Ready(()), |task| std::pin::Pin::new(task).poll(cx))
            });
            futures::join!(asks, debug::sync_in("other"));
            7
        })
    };
    waits.replace(Some(waiter.clone()));
    let quitter = AsyncTask::new(async move { drop(given_up.take()) });
    all((AsyncTask::new(waiter), quitter)).value();
    assert_eq!(log.take(), "7\n");
    assert_usable();
}

#[test]
fn a_value_may_ask_its_own_task_while_it_is_cloned() {
    struct Curious(Slot<AsyncTask<Curious>>, Rc<Cell<u32>>);

    impl Clone for Curious {
        fn clone(&self) -> Self {
            self.1.set(self.1.get() + 1);
            drop(self.0.take().map(AsyncTask::value));
            Self(Rc::default(), Rc::clone(&self.1))
        }
    }

    let (slot, clones) = (Slot::default(), Rc::default());
    let value = Curious(Rc::clone(&slot), Rc::clone(&clones));
    let task = AsyncTask::new(async move { value });
    slot.replace(Some(task.clone()));
    let other = task.clone();
    drop(task.value());
    assert_eq!(clones.get(), 2);
    drop(other);
    assert_usable();
}

/// A source of values that ask for another key when they are dropped.
struct Chatty {
    source: Slot<Source<Chatty>>,
    log: Log,
}

impl Batch for Chatty {
    type Key = u32;
    type Value = Box<dyn std::any::Any>;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        self.log.add(format_args!("flush {:?}", items.keys()));
        items.set_values(|&key| {
            let this = Rc::clone(&self);
            Some(Box::new(OnDrop(move || {
                if key == 1
                    && let Some(source) = this.source.take()
                {
                    drop(source.item(2).value());
                }
            })))
        });
    }
}

#[test]
fn a_value_that_nobody_took_may_ask_its_source_when_it_is_dropped() {
    let (log, slot) = (Log::new(), Slot::default());
    let source = Source::new(Chatty { source: Rc::clone(&slot), log: log.clone() });
    slot.replace(Some(source.clone()));
    let first = source.item(1);
    first.batch().flush();
    drop(first);
    // The next item takes the place of that batch, whose value is dropped now.
    drop(source.item(3).value().unwrap());
    assert_eq!(log.take(), "flush [1]\nflush [3, 2]\n");
    assert_usable();
}

#[test]
fn a_callback_of_a_cancelled_item_may_call_what_awaits_another() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let (first, second) = (numbers.item(1), numbers.item(2));
    let batch = first.batch();
    let waits = AsyncTask::new(second);
    let outcome = Rc::new(RefCell::new(None));
    {
        let outcome = Rc::clone(&outcome);
        first.on_computed(move || drop(outcome.replace(Some(waits.value()))));
    }
    batch.cancel();
    let error = outcome.take().expect("called").unwrap_err();
    assert!(matches!(error.kind(), BatchErrorKind::Cancelled), "{error}");
    assert_eq!(log.take(), "", "a cancelled batch is not flushed");
    assert_usable();
}

#[test]
fn a_callback_of_a_forgotten_item_may_call_what_awaits_another() {
    let nothing = source("nothing", drop);
    let (first, second) = (nothing.item(1), nothing.item(2));
    let waits = AsyncTask::new(second);
    let outcome = Rc::new(RefCell::new(None));
    {
        let (outcome, waits) = (Rc::clone(&outcome), waits.clone());
        first.on_computed(move || drop(outcome.replace(Some(waits.value()))));
    }
    first.value().unwrap_err();
    let error = outcome.take().expect("called").unwrap_err();
    assert!(matches!(error.kind(), BatchErrorKind::NotSet), "{error}");
    drop(waits);
    assert_usable();
}

#[test]
fn a_callback_of_an_item_forgotten_in_flight_may_call_what_awaits_another() {
    let nothing = source("nothing", |items| -> Later { Box::pin(async move { drop(items) }) });
    let (first, second) = (nothing.item(1), nothing.item(2));
    let waits = AsyncTask::new(second);
    let outcome = Rc::new(RefCell::new(None));
    {
        let (outcome, waits) = (Rc::clone(&outcome), waits.clone());
        first.on_computed(move || drop(outcome.replace(Some(waits.outcome()))));
    }
    // `waits` comes to its item before the flush.
    drop(all((waits, first)).value());
    let error = outcome.take().expect("called").unwrap().unwrap_err();
    assert!(matches!(error.kind(), BatchErrorKind::NotSet), "{error}");
    assert_usable();
}

#[test]
fn a_panic_in_a_callback_of_a_lazy_future_keeps_no_other_from_being_called() {
    let log = Log::new();
    let lazy = LazyFuture::new(|| 1);
    lazy.on_computed(|| panic!("callback"));
    let log_in = log.clone();
    lazy.on_computed(move || log_in.add("second"));
    assert_eq!(lazy.value(), 1);
    assert_eq!(log.take(), "second\n");
}

#[test]
fn a_callback_of_a_join_comes_though_a_lazy_part_was_computed_before() {
    let log = Log::new();
    let mut join = all((LazyFuture::new(|| 1), debug::sync()));
    let task = {
        let log = log.clone();
        AsyncTask::new(async move {
            assert!(poll_once(&mut join).await.is_pending());
            join.on_computed(move || log.add("called"));
            join.await.0
        })
    };
    assert_eq!(task.value(), 1);
    assert_eq!(log.take(), "called\n");
}

#[test]
fn a_join_polled_after_its_end_says_so() {
    let mut join = all(vec![AsyncTask::new(async { 1 })]);
    let twice = AsyncTask::new(async move {
        assert_eq!((&mut join).await, [1]);
        (&mut join).await
    });
    assert_eq!(
        twice.outcome().unwrap_err().message(),
        "a join was polled after it had returned its values"
    );
    assert_usable();
}

#[test]
fn an_item_polled_after_its_end_says_so() {
    let mut item = store(&Log::new(), "numbers").item(1);
    let twice = AsyncTask::new(async move {
        assert_eq!((&mut item).await.unwrap(), 10);
        (&mut item).await.unwrap()
    });
    expect!["item 0 of batch numbers was polled after it had returned its value"]
        .assert_eq(twice.outcome().unwrap_err().message());
    assert_usable();
}

#[test]
fn a_promise_polled_after_its_end_says_so() {
    let (promise, mut future) = asynq::promise();
    promise.set_value(1);
    let twice = AsyncTask::new(async move {
        assert_eq!((&mut future).await, 1);
        (&mut future).await
    });
    expect![[r#"
        the promise, made at crates/asynq/tests/it/hazard_reentrancy.rs was polled after it had returned its value
    "#]]
    .assert_eq(&without_lines(twice.outcome().unwrap_err().message()));
    assert_usable();
}

#[test]
fn a_task_that_calls_itself_synchronously_is_a_deadlock_and_may_go_on() {
    let task = knowing_itself(|this: AsyncTask<u32>| async move {
        let error = this.outcome().unwrap_err();
        assert_eq!(error.kind(), TaskErrorKind::Deadlock);
        debug::sync().await;
        1
    });
    assert_eq!(task.value(), 1);
    assert_usable();
}

#[test]
fn a_task_that_is_cancelled_by_its_own_call_asks_for_nothing_more() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = knowing_itself(|this: AsyncTask<()>| async move {
        AsyncTask::new(async move { this.cancel() }).value();
        let mut item = numbers.item(1);
        assert!(poll_once(&mut item).await.is_pending());
        assert_eq!(numbers.item(2).value().unwrap(), 20, "it may still call");
        debug::sync().await;
    });
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_eq!(log.take(), "flush numbers [1, 2]\n");
    assert_usable();
}

#[test]
fn a_panic_while_a_source_is_dropped_in_a_flush_leaves_the_scheduler_usable() {
    struct Sticky(Slot<AsyncTask<()>>);

    impl Batch for Sticky {
        type Key = ();
        type Value = ();
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|()| Some(()));
            if let Some(victim) = self.0.take() {
                victim.cancel();
            }
        }
    }

    impl Drop for Sticky {
        fn drop(&mut self) {
            panic!("it sticks");
        }
    }

    let victim = Slot::default();
    let item = Source::new(Sticky(Rc::clone(&victim))).item(());
    let task = AsyncTask::new(async move { item.await.unwrap() });
    victim.replace(Some(task.clone()));
    // With the task goes the last item, and with that the batch, whose flush is under way.
    assert_eq!(message_of(|| drop(task.outcome())), "it sticks");
    assert_usable();
}
