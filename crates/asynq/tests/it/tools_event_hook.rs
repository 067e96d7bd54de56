//! `AsyncEventHook`: async functions that are told of an event.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::Cell;
use std::rc::Rc;

use asynq::tools::{AsyncEventHook, Subscription};
use asynq::{AsyncTask, ConstFuture, FutureBase, all, asynq, debug};
use expect_test::expect;

use crate::common::{Log, assert_usable, logged, message_of, store};

/// A handler that writes what it is told into a log.
fn handler(log: &Log, name: &'static str) -> impl Fn(u32) -> AsyncTask<()> + 'static {
    let log = log.clone();
    move |event| {
        let log = log.clone();
        AsyncTask::new(async move {
            debug::sync().await;
            log.add(format_args!("{name} {event}"));
        })
    }
}

#[test]
fn all_handlers_are_called_in_the_order_of_their_subscription() {
    let log = Log::new();
    let hook = AsyncEventHook::new();
    for name in ["a", "b", "c"] {
        hook.subscribe(handler(&log, name));
    }
    hook.trigger(1);
    hook.trigger(2);
    assert_eq!(log.take(), "a 1\nb 1\nc 1\na 2\nb 2\nc 2\n");
}

#[test]
fn handlers_share_a_flush() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let hook = AsyncEventHook::new();
    for name in ["a", "b"] {
        let (log, numbers) = (log.clone(), numbers.clone());
        hook.subscribe(move |event| logged(&log, name, numbers.item(event)));
    }
    hook.trigger(1);
    expect![[r#"
        a starts
        b starts
        flush numbers [1, 1]
        a gets 10
        b gets 10
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn events_that_are_awaited_together_share_a_flush() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let hook = AsyncEventHook::new();
    hook.subscribe(move |event| numbers.item(event));
    let values = AsyncTask::new(all([hook.trigger_asynq(1), hook.trigger_asynq(2)])).value();
    assert_eq!(values.map(|values| *values[0].as_ref().unwrap()), [10, 20]);
    assert_eq!(log.take(), "flush numbers [1, 2]\n");
}

#[test]
fn the_value_has_what_each_handler_returned() {
    let hook = AsyncEventHook::new();
    hook.subscribe(|n: u32| ConstFuture::new(n + 1));
    hook.subscribe_plain(|n| n * 2);
    assert_eq!(hook.trigger(10), [11, 20]);
}

#[test]
fn an_event_without_handlers_does_nothing() {
    assert_eq!(AsyncEventHook::<u32>::new().trigger(1), []);
}

#[test]
fn it_takes_what_the_attribute_makes() {
    #[asynq]
    async fn length(word: String) -> usize {
        word.len()
    }

    let hook = AsyncEventHook::new();
    hook.subscribe(length::asynq);
    assert_eq!(hook.trigger("three".to_owned()), [5]);
}

#[test]
fn a_handler_that_was_unsubscribed_is_not_called() {
    let log = Log::new();
    let hook = AsyncEventHook::new();
    let first = hook.subscribe(handler(&log, "a"));
    hook.subscribe(handler(&log, "b"));
    assert!(hook.unsubscribe(first));
    hook.trigger(1);
    assert_eq!(log.take(), "b 1\n");
}

#[test]
fn a_handler_can_be_unsubscribed_once() {
    let hook = AsyncEventHook::new();
    let subscription = hook.subscribe_plain(|(): ()| ());
    assert_eq!([(); 2].map(|()| hook.unsubscribe(subscription)), [true, false]);
}

#[test]
fn a_subscription_says_nothing_to_another_hook() {
    let (hook, other) = (AsyncEventHook::new(), AsyncEventHook::new());
    hook.subscribe_plain(|(): ()| ());
    assert!(!hook.unsubscribe(other.subscribe_plain(|(): ()| ())));
}

#[test]
fn a_handler_that_panics_keeps_no_other_from_running() {
    let log = Log::new();
    let hook = AsyncEventHook::new();
    hook.subscribe_plain(|n: u32| panic!("plainly {n}"));
    hook.subscribe(handler(&log, "a"));
    hook.subscribe(|n: u32| -> AsyncTask<()> { panic!("before there is a task {n}") });
    hook.subscribe(handler(&log, "b"));
    message_of(|| hook.trigger(1));
    assert_eq!(log.take(), "a 1\nb 1\n");
    assert_usable();
}

#[test]
fn the_first_panic_in_the_order_of_the_handlers_is_passed_on() {
    let hook = AsyncEventHook::new();
    hook.subscribe(|()| {
        AsyncTask::new(async {
            debug::sync().await;
            panic!("late")
        })
    });
    hook.subscribe_plain(|()| panic!("early"));
    let message = message_of(|| hook.trigger(()));
    assert!(message.starts_with("late"), "{message}");
}

#[test]
fn the_first_error_can_be_had_after_all_handlers_have_run() {
    let runs = Rc::new(Cell::new(0));
    let hook = AsyncEventHook::new();
    for result in [Ok(()), Err("first"), Err("second"), Ok(())] {
        let runs = Rc::clone(&runs);
        hook.subscribe_plain(move |()| {
            runs.set(runs.get() + 1);
            result
        });
    }
    let result: Result<(), _> = hook.trigger(()).into_iter().collect();
    assert_eq!((result, runs.get()), (Err("first"), 4));
}

#[test]
fn a_handler_may_subscribe_another_for_the_next_time() {
    thread_local! {
        static HOOK: AsyncEventHook<u32, u32> = AsyncEventHook::new();
    }

    HOOK.with(|hook| {
        hook.subscribe_plain(|n| {
            HOOK.with(|hook| hook.subscribe(ConstFuture::new));
            n
        });
        assert_eq!([1, 2, 3].map(|n| hook.trigger(n).len()), [1, 2, 3]);
    });
}

#[test]
fn a_handler_may_trigger_the_event_again() {
    thread_local! {
        static HOOK: AsyncEventHook<u32, u32> = AsyncEventHook::new();
    }

    HOOK.with(|hook| {
        hook.subscribe_plain(
            |n| if n == 0 { 0 } else { 1 + HOOK.with(|hook| hook.trigger(n - 1)[0]) },
        );
        assert_eq!(hook.trigger(3), [3]);
    });
}

#[test]
fn a_handler_may_unsubscribe_itself() {
    let log = Log::new();
    let hook = AsyncEventHook::new();
    let itself: Rc<Cell<Option<Subscription>>> = Rc::default();
    let subscription = {
        let (log, hook, itself) = (log.clone(), hook.clone(), Rc::clone(&itself));
        hook.clone().subscribe_plain(move |n: u32| {
            log.add(format_args!("told {n}"));
            itself.get().map(|subscription| hook.unsubscribe(subscription));
        })
    };
    itself.set(Some(subscription));
    hook.trigger(1);
    hook.trigger(2);
    assert_eq!(log.take(), "told 1\n");
}

#[test]
fn a_handler_may_use_the_hook_when_it_is_dropped() {
    struct Triggers(AsyncEventHook<()>, Log);

    impl Drop for Triggers {
        fn drop(&mut self) {
            self.1.add(format_args!("{} handlers left", self.0.trigger(()).len()));
        }
    }

    let log = Log::new();
    let hook = AsyncEventHook::new();
    hook.subscribe_plain(|()| ());
    let triggers = Triggers(hook.clone(), log.clone());
    let subscription = hook.subscribe_plain(move |()| {
        let _owned = &triggers;
    });
    hook.unsubscribe(subscription);
    assert_eq!(log.take(), "1 handlers left\n");
}
