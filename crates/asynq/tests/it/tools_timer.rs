//! `AsyncTimer`: how long something took, without the time in which it waited.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use asynq::tools::AsyncTimer;
use asynq::{AsyncTask, FutureBase, all, call_with_context, debug, with_context};

use crate::common::{assert_usable, source};

/// A clock that stands still but for work.
#[derive(Clone)]
struct Clock(Rc<Cell<Instant>>);

impl Clock {
    fn new() -> Self {
        Self(Rc::new(Cell::new(Instant::now())))
    }

    /// Takes some seconds.
    fn work(&self, seconds: u64) {
        self.0.set(self.0.get() + Duration::from_secs(seconds));
    }

    fn timer(&self) -> Rc<AsyncTimer> {
        let clock = self.clone();
        Rc::new(AsyncTimer::with_clock(move || clock.0.get()))
    }

    /// A task that works, waits for a round, and works again.
    fn task(&self, seconds: u64) -> AsyncTask<()> {
        let clock = self.clone();
        AsyncTask::new(async move {
            clock.work(seconds);
            debug::sync().await;
            clock.work(seconds);
        })
    }
}

fn seconds(timer: &AsyncTimer) -> u64 {
    timer.total_time().as_secs()
}

#[test]
fn it_measures_what_its_task_does() {
    let clock = Clock::new();
    let timer = clock.timer();
    let works = {
        let clock = clock.clone();
        async move { clock.work(3) }
    };
    AsyncTask::new(with_context(Rc::clone(&timer), works)).value();
    clock.work(5);
    assert_eq!(seconds(&timer), 3);
}

#[test]
fn a_timer_that_is_entered_twice_counts_time_once() {
    let clock = Clock::new();
    let timer = clock.timer();
    call_with_context(Rc::clone(&timer), || {
        clock.work(1);
        call_with_context(Rc::clone(&timer), || clock.work(2));
        clock.work(4);
    });
    assert_eq!(seconds(&timer), 7);
}

#[test]
fn what_its_task_awaits_counts() {
    let clock = Clock::new();
    let timer = clock.timer();
    let awaits = with_context(Rc::clone(&timer), all([clock.task(1), clock.task(2)]));
    AsyncTask::new(awaits).value();
    assert_eq!(seconds(&timer), 6);
}

#[test]
fn what_others_do_meanwhile_does_not_count() {
    let clock = Clock::new();
    let timers = [clock.timer(), clock.timer()];
    let timed = |timer: &Rc<AsyncTimer>, seconds| {
        AsyncTask::new(with_context(Rc::clone(timer), clock.task(seconds)))
    };
    all([timed(&timers[0], 1), clock.task(10), timed(&timers[1], 2), clock.task(10)]).value();
    assert_eq!(timers.each_ref().map(|timer| seconds(timer)), [2, 4]);
}

#[test]
fn a_flush_that_it_waits_for_does_not_count() {
    let clock = Clock::new();
    let timer = clock.timer();
    let slow = {
        let clock = clock.clone();
        source("slow", move |items| {
            clock.work(10);
            items.set_values(|&key| Some(key));
        })
    };
    AsyncTask::new(with_context(Rc::clone(&timer), slow.item(1))).value().unwrap();
    assert_eq!(seconds(&timer), 0);
}

#[test]
fn it_can_be_read_while_it_runs() {
    let clock = Clock::new();
    let timer = clock.timer();
    let read = {
        let (clock, timer) = (clock.clone(), Rc::clone(&timer));
        async move {
            clock.work(1);
            let first = seconds(&timer);
            debug::sync().await;
            clock.work(2);
            (first, seconds(&timer))
        }
    };
    assert_eq!(AsyncTask::new(with_context(timer, read)).value(), (1, 3));
}

#[test]
fn it_adds_up_what_it_is_entered_for() {
    let clock = Clock::new();
    let timer = clock.timer();
    for _ in 0..3 {
        call_with_context(Rc::clone(&timer), || clock.work(2));
        clock.work(10);
    }
    assert_eq!(seconds(&timer), 6);
}

#[test]
fn a_block_inside_itself_counts_once() {
    let clock = Clock::new();
    let timer = clock.timer();
    let inner = with_context(Rc::clone(&timer), clock.task(1));
    AsyncTask::new(with_context(Rc::clone(&timer), inner)).value();
    assert_eq!(seconds(&timer), 2);
}

#[test]
fn a_task_that_panics_was_measured_until_then() {
    let clock = Clock::new();
    let timer = clock.timer();
    let fails = {
        let clock = clock.clone();
        async move {
            clock.work(3);
            panic!("no luck")
        }
    };
    let task = AsyncTask::<()>::new(with_context(Rc::clone(&timer), fails));
    assert!(task.outcome().is_err());
    clock.work(5);
    assert_eq!(seconds(&timer), 3);
    assert_usable();
}
