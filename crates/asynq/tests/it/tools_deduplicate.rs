//! Equal calls that are under way share a task.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use asynq::tools::{Deduplicate, amap, deduplicate, deduplicate_by};
use asynq::{
    AsyncTask, FutureBase, ScopedValue, TaskErrorKind, all, asynq, call_with_context, debug,
    with_context,
};
use expect_test::expect;

use crate::common::{Log, assert_usable, message_of, traced};

/// A function that writes its argument into a log, takes a round, and returns its argument.
fn logging(log: &Log) -> impl Fn(u32) -> AsyncTask<u32> + 'static {
    let log = log.clone();
    move |n| {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add(format_args!("runs {n}"));
            debug::sync().await;
            n
        })
    }
}

thread_local! {
    static RECURSIVE: RefCell<Option<Deduplicate<u32, u32>>> = RefCell::default();
}

/// A function that is given a handle to its own deduplicated form.
fn recursive<R: Future<Output = u32> + 'static>(
    body: impl Fn(Deduplicate<u32, u32>, u32) -> R + 'static,
) -> Deduplicate<u32, u32> {
    let function = deduplicate(move |n| {
        let this = RECURSIVE.with_borrow(Clone::clone).expect("set before any call");
        AsyncTask::new(body(this, n))
    });
    RECURSIVE.set(Some(function.clone()));
    function
}

#[test]
fn equal_calls_share_a_task() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    assert_eq!(amap(|n| function.asynq(n), [1, 2, 1]).value(), [1, 2, 1]);
    assert_eq!(log.take(), "runs 1\nruns 2\n");
}

#[test]
fn a_call_shares_a_task_that_is_blocked() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    let (first, second) = (function.clone(), function);
    let early = AsyncTask::new(async move { first.asynq(1).await });
    let late = AsyncTask::new(async move { second.asynq(1).await });
    all((early, late)).value();
    assert_eq!(log.take(), "runs 1\n");
}

#[test]
fn a_call_after_the_end_runs_again() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    function.asynq(1).value();
    function.asynq(1).value();
    assert_eq!(log.take(), "runs 1\nruns 1\n");
}

#[test]
fn a_plain_call_inside_a_task_shares() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    let shared = function.asynq(1);
    let calls = AsyncTask::new(async move { function.call(1) });
    assert_eq!(all((shared, calls)).value(), (1, 1));
    assert_eq!(log.take(), "runs 1\n");
}

#[test]
fn it_takes_what_the_attribute_makes() {
    #[asynq]
    async fn sum(a: u32, b: u32) -> u32 {
        a + b
    }

    thread_local! {
        static SUM: Deduplicate<(u32, u32), u32> = deduplicate(|(a, b)| sum::asynq(a, b));
    }

    assert_eq!(SUM.with(|sum| sum.call((1, 2))), 3);
}

#[test]
fn a_key_function_says_which_calls_are_equal() {
    let log = Log::new();
    let parity = deduplicate_by(|n| n % 2, logging(&log));
    assert_eq!(amap(|n| parity.asynq(n), [1, 2, 3]).value(), [1, 2, 1]);
    assert_eq!(log.take(), "runs 1\nruns 2\n");
}

#[test]
fn a_recursive_call_does_not_take_the_place_of_the_outer_one() {
    thread_local! {
        static CALLS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
        static FUNCTION: Deduplicate<u32, u32> = deduplicate(|n| {
            AsyncTask::new(async move {
                let depth = CALLS.with_borrow_mut(|calls| {
                    calls.push(n);
                    calls.len()
                });
                if depth == 1 {
                    // Equal to the call that runs, so it runs by itself.
                    FUNCTION.with(|function| function.call(n));
                    debug::sync().await;
                }
                n
            })
        });
    }
    let first = FUNCTION.with(|function| function.asynq(1));
    let second = AsyncTask::new(async { FUNCTION.with(|function| function.asynq(1)).await });
    assert_eq!(all((first, second)).value(), (1, 1));
    assert_eq!(CALLS.take(), [1, 1]);
}

#[test]
fn after_dirty_the_next_call_starts_afresh() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    let before = function.asynq(1);
    function.dirty(&1);
    assert_eq!(all([before, function.asynq(1), function.asynq(1)]).value(), [1, 1, 1]);
    assert_eq!(log.take(), "runs 1\nruns 1\n");
}

#[test]
fn a_dirty_task_that_ends_does_not_forget_its_successor() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    let before = function.asynq(1);
    function.dirty(&1);
    let after = function.asynq(1);
    before.value();
    all((after, function.asynq(1))).value();
    assert_eq!(log.take(), "runs 1\nruns 1\n");
}

#[test]
fn a_panic_reaches_all_who_share() {
    let runs = Rc::new(Cell::new(0));
    let function = {
        let runs = Rc::clone(&runs);
        deduplicate(move |()| {
            let runs = Rc::clone(&runs);
            AsyncTask::new(async move {
                debug::sync().await;
                runs.set(runs.get() + 1);
                panic!("no luck")
            })
        })
    };
    let tries = |shared: AsyncTask<()>| AsyncTask::new(async move { shared.outcome().is_err() });
    let both = all((tries(function.asynq(())), tries(function.asynq(()))));
    assert_eq!((both.value(), runs.get()), ((true, true), 1));
    assert_usable();
}

#[test]
fn a_call_after_a_panic_runs_again() {
    let lucky = Rc::new(Cell::new(false));
    let function = {
        let lucky = Rc::clone(&lucky);
        deduplicate(move |()| {
            let lucky = Rc::clone(&lucky);
            AsyncTask::new(async move { assert!(lucky.get(), "no luck") })
        })
    };
    let message = message_of(|| function.call(()));
    assert!(message.starts_with("no luck"), "{message}");
    lucky.set(true);
    function.call(());
}

#[test]
fn a_task_that_calls_itself_plainly_gets_a_task_of_its_own() {
    let log = Log::new();
    let depth = Rc::new(Cell::new(0));
    let function = {
        let (log, depth) = (log.clone(), Rc::clone(&depth));
        recursive(move |this, n| {
            let (log, depth) = (log.clone(), Rc::clone(&depth));
            async move {
                log.add(format_args!("runs at depth {}", depth.get()));
                debug::sync().await;
                if depth.replace(depth.get() + 1) < 2 { this.call(n) } else { n }
            }
        })
    };
    assert_eq!(function.call(1), 1);
    expect![[r#"
        runs at depth 0
        runs at depth 1
        runs at depth 2
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_task_that_is_called_again_by_what_it_calls_plainly_gets_a_task_of_its_own() {
    let runs = Rc::new(Cell::new(0));
    let function = {
        let runs = Rc::clone(&runs);
        recursive(move |this, n| {
            let runs = Rc::clone(&runs);
            async move {
                if runs.replace(runs.get() + 1) == 0 {
                    AsyncTask::new(async move { this.asynq(n).await }).value();
                }
                n
            }
        })
    };
    assert_eq!((function.call(1), runs.get()), (1, 2));
}

#[test]
fn a_task_that_awaits_an_equal_call_through_another_is_a_deadlock() {
    let function = recursive(|this, n| async move {
        AsyncTask::new(async move {
            debug::sync().await;
            this.asynq(n).await
        })
        .await
    });
    let error = function.asynq(1).outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[test]
fn a_task_that_is_dirty_may_await_an_equal_call() {
    let runs = Rc::new(Cell::new(0));
    let function = {
        let runs = Rc::clone(&runs);
        recursive(move |this, n| {
            let runs = Rc::clone(&runs);
            async move {
                if runs.replace(runs.get() + 1) == 0 {
                    this.dirty(&n);
                    AsyncTask::new(async move {
                        debug::sync().await;
                        this.asynq(n).await
                    })
                    .await;
                }
                n
            }
        })
    };
    assert_eq!((function.call(1), runs.get()), (1, 2));
}

#[test]
fn a_call_that_nobody_wants_any_more_is_not_run() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    drop(function.asynq(1));
    drop(function.asynq(1));
    function.call(1);
    assert_eq!(log.take(), "runs 1\n");
}

#[test]
fn a_call_that_nobody_wants_any_more_is_not_kept() {
    let alive = Rc::new(());
    let function = {
        let alive = Rc::clone(&alive);
        deduplicate(move |()| {
            let alive = Rc::clone(&alive);
            AsyncTask::new(async move { drop(alive) })
        })
    };
    drop(function.asynq(()));
    drop(function);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn one_who_drops_its_handle_takes_it_from_no_other() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    let (dropped, kept) = (function.asynq(1), function.asynq(1));
    drop(dropped);
    assert_eq!(kept.value(), 1);
}

#[test]
fn a_shared_task_runs_in_the_contexts_of_the_one_that_asked_first() {
    let log = Log::new();
    let function = deduplicate(logging(&log));
    let asks = |name| AsyncTask::new(with_context(traced(&log, name), function.asynq(1)));
    all([asks("a"), asks("b")]).value();
    expect![[r#"
        resume a
        runs 1
        pause a
        resume b
        pause b
        resume a
        pause a
        resume b
        pause b
    "#]]
    .assert_eq(&log.take());
}

/// An argument that makes a call of its own when it is dropped.
#[derive(Clone)]
struct CallsWhenDropped(Rc<RefCell<Option<Deduplicate<CallsWhenDropped, u32>>>>);

impl PartialEq for CallsWhenDropped {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CallsWhenDropped {}

impl Hash for CallsWhenDropped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).hash(state);
    }
}

impl Drop for CallsWhenDropped {
    fn drop(&mut self) {
        if let Some(function) = self.0.take() {
            function.call(Self(Rc::default()));
        }
    }
}

#[test]
fn an_argument_may_make_a_call_when_it_is_dropped() {
    let runs = Rc::new(Cell::new(0));
    let function = {
        let runs = Rc::clone(&runs);
        deduplicate(move |_: CallsWhenDropped| {
            runs.set(runs.get() + 1);
            AsyncTask::new(async { 0 })
        })
    };
    let argument = CallsWhenDropped(Rc::default());
    let task = function.asynq(argument.clone());
    // The next of its clones to be dropped is the key of the call, when that has ended.
    argument.0.replace(Some(function.clone()));
    task.value();
    assert_eq!((runs.get(), argument.0.take().is_some()), (2, false));
    assert_usable();
}

/// A function that takes a round, and returns the values of `user` and `language`.
fn reading(
    user: &ScopedValue<u32>,
    language: &ScopedValue<&'static str>,
) -> impl Fn(u32) -> AsyncTask<(u32, &'static str)> + 'static {
    let (user, language) = (user.clone(), language.clone());
    move |_| {
        let (user, language) = (user.clone(), language.clone());
        AsyncTask::new(async move {
            debug::sync().await;
            (user.get(), language.get())
        })
    }
}

#[test]
fn calls_that_vary_on_a_scoped_value_share_a_task_only_with_the_same_value() {
    let log = Log::new();
    let user = ScopedValue::new(0);
    let function = deduplicate(logging(&log)).vary_on(&user);
    let request = |id| {
        let function = function.clone();
        AsyncTask::new(with_context(user.override_with(id), async move { function.asynq(1).await }))
    };
    all([request(1), request(2), request(1)]).value();
    assert_eq!(log.take(), "runs 1\nruns 1\n");
}

#[test]
fn a_task_that_varies_on_scoped_values_sees_those_of_its_call() {
    let (user, language) = (ScopedValue::new(0), ScopedValue::new("en"));
    let function = deduplicate(reading(&user, &language)).vary_on(&user).vary_on(&language);
    let called = call_with_context(user.override_with(7), || {
        call_with_context(language.override_with("fr"), || function.asynq(1))
    });
    assert_eq!(called.value(), (7, "fr"), "awaited elsewhere");
    assert_eq!(function.call(1), (0, "en"));
}

#[test]
fn a_call_by_the_body_of_a_task_that_varies_gets_a_task_of_its_own() {
    type Varying = Deduplicate<u32, u32, (u32, u32)>;

    let user = ScopedValue::new(0);
    let this: Rc<RefCell<Option<Varying>>> = Rc::default();
    let function = {
        let this = Rc::clone(&this);
        let depth = Rc::new(Cell::new(0));
        deduplicate(move |n| {
            let (this, depth) = (Rc::clone(&this), Rc::clone(&depth));
            AsyncTask::new(async move {
                depth.set(depth.get() + 1);
                if depth.get() == 1 {
                    let function = this.borrow().clone().unwrap();
                    return function.call(n) + 1;
                }
                n
            })
        })
        .vary_on(&user)
    };
    *this.borrow_mut() = Some(function.clone());
    assert_eq!(function.call(1), 2);
    this.take();
}
