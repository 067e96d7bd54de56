//! Tasks: when they start, how often they run, who gets the value.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use asynq::{
    AsyncTask, BatchItem, ConstFuture, ErrorFuture, FutureBase, LazyFuture, NonAsyncContext,
    Promise, PromiseFuture, ScopedValue, Source, TaskErrorKind, all, debug, promise,
};
use expect_test::expect;

use crate::common::{self, Log, Store};

fn log_and_give<T: 'static>(log: &Log, line: &'static str, value: T) -> AsyncTask<T> {
    let log = log.clone();
    AsyncTask::new(async move {
        log.add(line);
        value
    })
}

#[test]
fn a_task_does_not_start_when_it_is_made() {
    let log = Log::new();
    let task = log_and_give(&log, "starts", 1);
    assert_eq!(log.take(), "");
    assert!(!task.is_computed());
}

#[test]
fn a_task_starts_when_it_is_asked_for_its_value() {
    let log = Log::new();
    assert_eq!(log_and_give(&log, "starts", 7).value(), 7);
    assert_eq!(log.take(), "starts\n");
}

#[test]
fn a_task_starts_when_it_is_awaited_and_not_before() {
    let log = Log::new();
    let inner = log_and_give(&log, "inner starts", 1);
    let outer = {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add("outer starts");
            let value = inner.await;
            log.add("outer goes on");
            value
        })
    };
    assert_eq!(outer.value(), 1);
    expect![[r#"
        outer starts
        inner starts
        outer goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_task_that_nobody_asks_for_never_starts() {
    let log = Log::new();
    let outer = {
        let forgotten = log_and_give(&log, "starts", 1);
        AsyncTask::new(async move {
            debug::sync().await;
            drop(forgotten);
        })
    };
    outer.value();
    assert_eq!(log.take(), "");
}

#[test]
fn outcome_gives_the_value() {
    assert_eq!(AsyncTask::new(async { 3 }).outcome().unwrap(), 3);
}

#[test]
fn an_err_of_the_function_is_a_value_like_any_other() {
    let task = AsyncTask::new(async { Err::<u32, _>("no such user") });
    assert_eq!(task.outcome().unwrap(), Err("no such user"));
}

#[test]
fn the_value_is_moved_out_of_a_task_that_has_one_handle() {
    struct NotClone(u32);
    let task = AsyncTask::new(async { NotClone(5) });
    assert_eq!(task.value().0, 5);
}

/// Counts its clones.
#[derive(Default)]
struct Counted(Rc<Cell<usize>>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.set(self.0.get() + 1);
        Self(Rc::clone(&self.0))
    }
}

#[test]
fn the_last_handle_takes_the_value_without_a_clone() {
    let task = AsyncTask::new(async { Counted::default() });
    let handles = [task.clone(), task.clone(), task];
    let clones = handles.map(AsyncTask::value).map(|value| value.0);
    assert_eq!(clones[2].get(), 2, "three handles, of which the last takes the original");
}

#[test]
fn a_value_may_look_at_its_own_task_while_it_is_cloned() {
    struct Looks(Rc<RefCell<Option<AsyncTask<Looks>>>>, bool);

    impl Clone for Looks {
        fn clone(&self) -> Self {
            let computed = self.0.borrow().as_ref().is_some_and(FutureBase::is_computed);
            Self(Rc::clone(&self.0), computed)
        }
    }

    let this = Rc::default();
    let value = Looks(Rc::clone(&this), false);
    let task = AsyncTask::new(async { value });
    this.replace(Some(task.clone()));
    assert!(task.value().1, "the clone has seen that the task is computed");
    this.take();
}

#[test]
fn each_handle_gives_the_value_of_the_one_run() {
    let log = Log::new();
    let task = log_and_give(&log, "runs", "value".to_owned());
    let (first, second) = (task.clone(), task.clone());
    assert_eq!(all([first, second]).value(), ["value", "value"]);
    assert_eq!(task.value(), "value");
    assert_eq!(log.take(), "runs\n");
}

#[test]
fn a_task_that_several_await_wakes_all_of_them() {
    let log = Log::new();
    let shared = {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add("shared starts");
            debug::sync().await;
            log.add("shared ends");
            1
        })
    };
    let waiter = |name: &'static str| {
        let (shared, log) = (shared.clone(), log.clone());
        AsyncTask::new(async move {
            log.add(format_args!("{name} asks"));
            let value = shared.await;
            log.add(format_args!("{name} goes on"));
            value
        })
    };
    assert_eq!(all(["a", "b", "c"].map(waiter)).value(), [1, 1, 1]);
    expect![[r#"
        a asks
        shared starts
        b asks
        c asks
        shared ends
        a goes on
        b goes on
        c goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn is_computed_tells_all_handles_that_the_task_has_ended() {
    let task = AsyncTask::new(async { 1 });
    let other = task.clone();
    assert!(!other.is_computed());
    task.value();
    assert!(other.is_computed());
}

#[test]
fn is_computed_is_true_of_a_task_that_failed() {
    let task = AsyncTask::new(async { panic!("no") });
    let other: AsyncTask<()> = task.clone();
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Panicked);
    assert!(other.is_computed());
}

#[test]
fn a_callback_of_a_known_future_comes_at_once() {
    let calls = Rc::new(Cell::new(0));
    let count = || {
        let calls = Rc::clone(&calls);
        move || calls.set(calls.get() + 1)
    };
    ConstFuture::new(1).on_computed(count());
    ErrorFuture::<(), _>::new("error").on_computed(count());
    assert_eq!(calls.get(), 2);
}

#[test]
fn callbacks_come_in_the_order_of_subscription() {
    let log = Log::new();
    let task = log_and_give(&log, "task runs", 1);
    for line in ["first", "second", "third"] {
        let log = log.clone();
        task.on_computed(move || log.add(line));
    }
    assert_eq!(log.take(), "", "a subscription starts nothing");
    task.value();
    assert_eq!(log.take(), "task runs\nfirst\nsecond\nthird\n");
}

#[test]
fn a_callback_comes_before_those_who_await_the_task_go_on() {
    let log = Log::new();
    let task = log_and_give(&log, "task runs", 1);
    {
        let log = log.clone();
        task.on_computed(move || log.add("callback"));
    }
    {
        let log = log.clone();
        AsyncTask::new(async move {
            task.await;
            log.add("waiter goes on");
        })
        .value();
    }
    assert_eq!(log.take(), "task runs\ncallback\nwaiter goes on\n");
}

#[test]
fn a_late_callback_comes_at_once() {
    let log = Log::new();
    let task = AsyncTask::new(async { 1 });
    let other = task.clone();
    task.value();
    let log_in = log.clone();
    other.on_computed(move || log_in.add("late"));
    assert_eq!(log.take(), "late\n");
}

#[test]
fn a_callback_can_ask_for_the_value() {
    let log = Log::new();
    let task = AsyncTask::new(async { 4 });
    let (other, log_in) = (task.clone(), log.clone());
    task.on_computed(move || log_in.add(other.value()));
    assert_eq!(task.value(), 4);
    assert_eq!(log.take(), "4\n");
}

#[test]
fn a_callback_can_subscribe_again() {
    let log = Log::new();
    let task = AsyncTask::new(async { 4 });
    let (other, log_in) = (task.clone(), log.clone());
    task.on_computed(move || other.on_computed(move || log_in.add("again")));
    task.value();
    assert_eq!(log.take(), "again\n");
}

#[test]
fn known_futures_are_computed_from_the_start() {
    assert!(ConstFuture::new(1).is_computed());
    assert!(ErrorFuture::<u32, _>::new("gone").is_computed());
}

#[test]
fn a_lazy_future_computes_once_it_is_asked() {
    let log = Log::new();
    let lazy = {
        let log = log.clone();
        LazyFuture::new(move || {
            log.add("computes");
            6
        })
    };
    let log_in = log.clone();
    lazy.on_computed(move || log_in.add("computed"));
    assert_eq!(log.take(), "");
    assert_eq!(lazy.value(), 6);
    assert_eq!(log.take(), "computes\ncomputed\n");
}

#[test]
fn a_promise_wakes_the_task_that_awaits_it() {
    let (promise, future) = promise();
    let reader = AsyncTask::new(async move { future.await + 1 });
    let writer = AsyncTask::new(async move {
        debug::sync().await;
        promise.set_value(1);
    });
    assert_eq!(all((reader, writer)).value().0, 2);
}

#[test]
fn a_promise_set_in_advance_is_computed() {
    let (promise, future) = promise();
    promise.set_value(1);
    assert!(future.is_computed());
    assert_eq!(future.value(), 1);
}

#[test]
fn each_thread_has_a_scheduler_of_its_own() {
    let values = [1, 2, 3].map(|n| {
        std::thread::spawn(move || {
            AsyncTask::new(async move {
                debug::sync().await;
                n
            })
            .value()
        })
    });
    assert_eq!(values.map(|thread| thread.join().unwrap()), [1, 2, 3]);
}

#[test]
fn the_debug_form_names_function_place_and_state() {
    let task = AsyncTask::new(async { 1 });
    let other = task.clone();
    let text = format!("{other:?}");
    task.value();
    let texts = [text, format!("{other:?}")].join("\n");
    expect![[r#"
        AsyncTask(async block, called at crates/asynq/tests/it/tasks.rs, not started)
        AsyncTask(async block, called at crates/asynq/tests/it/tasks.rs, computed)
    "#]]
    .assert_eq(&common::without_lines(&texts));
}

/// Holds at compile time: `NAME` is ambiguous for a type that is `Send`.
macro_rules! assert_not_send {
    ($($type:ty),+) => {
        $(const _: fn() = || {
            trait Ambiguous<Marker> {
                fn check() {}
            }
            struct IsSend;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + Send> Ambiguous<IsSend> for T {}
            let _ = <$type as Ambiguous<_>>::check;
        };)+
    };
}

// They belong to the scheduler of the thread they were made on.
assert_not_send!(AsyncTask<u32>, Source<Store>, BatchItem<Store>, asynq::BatchHandle<Store>);
assert_not_send!(Promise<u32>, PromiseFuture<u32>, ScopedValue<u32>, NonAsyncContext);
