//! Models of the wake queue of asynq-batch.
//!
//! Each test is a program of two or three threads, which [loom] runs once for every interleaving and
//! every value that a load may return. The library's `waker.rs` is compiled here a second time, with
//! loom's primitives in place of those of `std`.
//!
//! The reference counts of `std::sync::Arc` are not part of the models, since a `Waker` cannot be
//! made of another `Arc` in safe code. `make miri` covers them.
#![cfg(test)]

mod sync;

#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/scheduler/waker.rs"]
mod waker;

use std::sync::Arc;
use std::task::{Wake, Waker};

use asynq_engine::TaskId;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use slotmap::{Key, KeyData};

use self::waker::{TaskWaker, WakeQueue};

/// Runs a model of three threads. All interleavings with at most two preemptions: without a limit, there
/// are millions.
fn model_of_three(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// Returns an id of a task, different for each `number`.
fn task(number: u64) -> TaskId {
    let id = TaskId::from(KeyData::from_ffi((1 << 32) | number));
    assert_ne!(id, TaskId::null());
    id
}

/// Creates a waker of `task`, as a future from elsewhere keeps it.
fn waker_of(queue: &Arc<WakeQueue>, task: TaskId) -> (TaskWaker, Waker) {
    let lent = TaskWaker::new(queue);
    lent.lend(task);
    let kept = lent.waker().clone();
    (lent, kept)
}

/// Parks the thread until the queue has returned `count` tasks, as a synchronous call does.
fn receive(queue: &WakeQueue, count: usize) -> Vec<TaskId> {
    let mut woken = Vec::new();
    while woken.len() < count {
        if queue.is_filled() {
            woken.extend(queue.drain());
        } else {
            queue.park();
        }
    }
    woken.sort_unstable();
    woken
}

/// Waker of another executor, which counts its wake-ups.
struct Executor(AtomicUsize);

impl Executor {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn a_wake_up_ends_the_sleep_of_a_parked_scheduler() {
    loom::model(|| {
        let queue = WakeQueue::new();
        let (_lent, kept) = waker_of(&queue, task(1));
        let other = thread::spawn(move || kept.wake());
        // If the wake-up got lost, loom would report a deadlock.
        assert_eq!(receive(&queue, 1), [task(1)]);
        other.join().unwrap();
    });
}

#[test]
fn a_wake_up_keeps_the_scheduler_awake_or_wakes_the_executor() {
    loom::model(|| {
        let queue = WakeQueue::new();
        let executor = Executor::new();
        queue.add_executor(&Arc::clone(&executor).into());
        let (_lent, kept) = waker_of(&queue, task(1));
        let other = thread::spawn(move || kept.wake());
        let sleeps = queue.sleep();
        other.join().unwrap();
        assert!(queue.is_filled());
        assert_eq!(queue.drain(), [task(1)]);
        assert!(!sleeps || executor.wakes() == 1, "the wake-up is lost");
    });
}

#[test]
fn a_wake_up_between_two_polls_is_seen_by_the_second() {
    loom::model(|| {
        let queue = WakeQueue::new();
        let executor = Executor::new();
        let (_lent, kept) = waker_of(&queue, task(1));
        let other = thread::spawn(move || kept.wake());
        let mut woken = Vec::new();
        for _ in 0..2 {
            queue.add_executor(&Arc::clone(&executor).into());
            if queue.is_filled() {
                woken.extend(queue.drain());
            }
            if queue.sleep() {
                break;
            }
        }
        other.join().unwrap();
        woken.extend(queue.drain());
        assert_eq!(woken, [task(1)]);
    });
}

#[test]
fn two_threads_that_wake_at_once_are_both_heard() {
    model_of_three(|| {
        let queue = WakeQueue::new();
        let (_first, first) = waker_of(&queue, task(1));
        let (_second, second) = waker_of(&queue, task(2));
        let others = [thread::spawn(move || first.wake()), thread::spawn(move || second.wake())];
        assert_eq!(receive(&queue, 2), [task(1), task(2)]);
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn two_wake_ups_of_a_task_wake_the_executor_once_for_each_sleep() {
    model_of_three(|| {
        let queue = WakeQueue::new();
        let executor = Executor::new();
        queue.add_executor(&Arc::clone(&executor).into());
        let (_lent, kept) = waker_of(&queue, task(1));
        let again = kept.clone();
        let others = [thread::spawn(move || kept.wake()), thread::spawn(move || again.wake())];
        let sleeps = queue.sleep();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(queue.drain(), [task(1), task(1)]);
        assert!(executor.wakes() <= 1);
        assert!(!sleeps || executor.wakes() == 1, "both wake-ups are lost");
    });
}

#[test]
fn a_wake_up_after_the_end_of_the_scheduler_is_harmless() {
    loom::model(|| {
        let (kept, scheduler) = {
            let queue = WakeQueue::new();
            let (_lent, kept) = waker_of(&queue, task(1));
            (kept, Arc::downgrade(&queue))
        };
        let other = thread::spawn(move || kept.wake());
        other.join().unwrap();
        assert!(scheduler.upgrade().is_none(), "the last waker frees the queue");
    });
}

#[test]
fn a_waker_that_another_thread_drops_wakes_first_if_it_wakes() {
    loom::model(|| {
        let queue = WakeQueue::new();
        let (lent, kept) = waker_of(&queue, task(1));
        let other = thread::spawn(move || {
            kept.wake_by_ref();
            drop(kept);
        });
        while lent.is_kept() {
            thread::yield_now();
        }
        // From here on, the waker may be lent to another task.
        lent.lend(task(2));
        assert_eq!(queue.drain(), [task(1)]);
        other.join().unwrap();
        assert!(queue.drain().is_empty());
    });
}
