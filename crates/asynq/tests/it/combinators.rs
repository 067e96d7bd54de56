//! Futures of ours inside combinators that are not.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use asynq::{AsyncTask, FutureBase, all, debug};
use expect_test::expect;
use futures::FutureExt;
use futures::future::{Either, join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::common::{Log, later, poll_once, store};

#[test]
fn join_awaits_tasks_together() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let (a, b) = (numbers.item(1), numbers.item(2));
    let task = AsyncTask::new(async { futures::join!(a, b) });
    let (a, b) = task.value();
    assert_eq!((a.unwrap(), b.unwrap()), (10, 20));
    assert_eq!(log.take(), "flush numbers [1, 2]\n");
}

#[test]
fn join_goes_on_with_whichever_is_ready() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let branch = |name: &'static str, steps: u32| {
        let (log, numbers) = (log.clone(), numbers.clone());
        async move {
            for step in 0..steps {
                numbers.item(step).await.unwrap();
            }
            log.add(format_args!("{name} ends"));
        }
    };
    let (slow, quick) = (branch("slow", 2), branch("quick", 1));
    AsyncTask::new(async { futures::join!(slow, quick) }).value();
    expect![[r#"
        flush numbers [0, 0]
        quick ends
        flush numbers [1]
        slow ends
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn select_drops_the_loser() {
    let log = Log::new();
    let alive = Rc::new(());
    let loser = {
        let (log, alive) = (log.clone(), Rc::clone(&alive));
        AsyncTask::new(async move {
            debug::sync().await;
            debug::sync().await;
            log.add("the loser ends");
            drop(alive);
        })
    };
    let winner = AsyncTask::new(async move {
        match select(later(1), loser).await {
            Either::Left((rounds, _)) => rounds,
            Either::Right(_) => 0,
        }
    });
    assert_eq!(winner.value(), 1);
    debug::sync().value();
    assert_eq!(log.take(), "");
    assert_eq!(Rc::strong_count(&alive), 1, "it was dropped with all it holds");
}

#[test]
fn a_loser_that_is_kept_can_be_awaited_later() {
    let task = AsyncTask::new(async move {
        let Either::Left((first, rest)) = select(later(1), later(3)).await else {
            panic!("one round is less than three")
        };
        (first, rest.await)
    });
    assert_eq!(task.value(), (1, 3));
}

#[test]
fn the_select_macro_works() {
    let task = AsyncTask::new(async {
        let (mut quick, mut slow) = (later(1).fuse(), later(2).fuse());
        futures::select! {
            rounds = quick => rounds,
            rounds = slow => rounds,
        }
    });
    assert_eq!(task.value(), 1);
}

#[test]
fn join_all_awaits_many_together() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    // More than it polls itself: it uses wakers of its own for each.
    let items: Vec<_> = (0..100).map(|key| numbers.item(key)).collect();
    let values = AsyncTask::new(join_all(items)).value();
    assert_eq!(values.into_iter().map(Result::unwrap).sum::<u32>(), 49_500);
    assert_eq!(log.take().lines().count(), 1);
}

#[test]
fn futures_unordered_gives_each_as_it_is_ready() {
    let task = AsyncTask::new(async {
        let tasks: FuturesUnordered<_> = [3, 1, 2].into_iter().map(later).collect();
        tasks.collect::<Vec<_>>().await
    });
    assert_eq!(task.value(), [1, 2, 3]);
}

#[test]
fn futures_unordered_may_be_handed_to_another_task() {
    let begins = AsyncTask::new(async {
        let mut tasks: FuturesUnordered<_> = [1, 2].into_iter().map(later).collect();
        assert!(poll_once(&mut tasks.next()).await.is_pending());
        tasks
    });
    let ends = AsyncTask::new(async move { begins.await.collect::<Vec<_>>().await });
    assert_eq!(ends.value(), [1, 2]);
}

#[test]
fn buffer_unordered_batches_what_it_admits_at_once() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let ask = move |key| {
        let numbers = numbers.clone();
        async move { numbers.item(key).await.unwrap() }
    };
    let keys = futures::stream::iter(1..=6);
    let task = AsyncTask::new(keys.map(ask).buffer_unordered(3).collect::<Vec<_>>());
    assert_eq!(task.value(), [10, 20, 30, 40, 50, 60]);
    assert_eq!(log.take(), "flush numbers [1, 2, 3]\nflush numbers [4, 5, 6]\n");
}

#[test]
fn shared_is_awaited_by_several_tasks() {
    let shared = later(1).shared();
    let waiters = [shared.clone(), shared].map(AsyncTask::new);
    assert_eq!(all(waiters).value(), [1, 1]);
}

#[test]
fn a_combinator_polls_only_what_was_woken() {
    let polls = Rc::new(Cell::new(0));
    let idle = {
        let polls = Rc::clone(&polls);
        poll_fn(move |_| {
            polls.set(polls.get() + 1);
            Poll::<usize>::Pending
        })
    };
    let task = AsyncTask::new(async move {
        let mut all = FuturesUnordered::<Pin<Box<dyn Future<Output = usize>>>>::new();
        all.push(Box::pin(idle));
        for rounds in 1..=3 {
            all.push(Box::pin(later(rounds)));
        }
        [all.next().await, all.next().await, all.next().await]
    });
    assert_eq!(task.value(), [Some(1), Some(2), Some(3)]);
    assert_eq!(polls.get(), 1);
}
