//! The tokio runtime around the code that runs, if there is one: sleeping there, and its budget.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, try_id, unconstrained, yield_now};

use super::idle_runtime as idle;

/// Reason why a thread cannot wait for the runtime around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standstill {
    /// This thread alone would run the runtime.
    Held,
    /// No thread runs the runtime.
    Idle,
}

/// Calls `sleep`, which blocks this thread, so that the runtime around it goes on. May do so for a short time only.
///
/// `is_woken_by_threads` says that other threads will end the sleep, whatever becomes of the runtime.
///
/// # Errors
///
/// If nothing would end the sleep.
pub(super) fn sleep(is_woken_by_threads: bool, sleep: impl FnOnce()) -> Result<(), Standstill> {
    let handle = Handle::try_current();
    match handle.as_ref().map(Handle::runtime_flavor) {
        Err(_) => sleep(),
        Ok(RuntimeFlavor::CurrentThread) if is_woken_by_threads => sleep(),
        Ok(RuntimeFlavor::CurrentThread) if runs_tasks() => return Err(Standstill::Held),
        // A thread of `spawn_blocking`, whose runtime exists as long as it does.
        Ok(RuntimeFlavor::CurrentThread) if try_id().is_some() => sleep(),
        Ok(RuntimeFlavor::CurrentThread) => {
            let has_run = idle::sleep(&Handle::current(), sleep);
            return if has_run { Ok(()) } else { Err(Standstill::Idle) };
        }
        // Moves the tasks of a worker to another thread. Panics in a `LocalSet`, and does nothing on a thread that only
        // belongs to a runtime.
        Ok(_) => {
            let slept = catch_unwind(AssertUnwindSafe(|| block_in_place(sleep))).is_ok();
            if !slept && !is_woken_by_threads {
                return Err(Standstill::Held);
            }
        }
    }
    Ok(())
}

/// Returns whether this thread runs the tasks of its runtime. Other threads may belong to it: those of
/// `spawn_blocking`, for example.
fn runs_tasks() -> bool {
    !RuntimeTurn::begin().has_come()
}

/// Wakes the task of `cx` when the other tasks of its executor have run, as far as it knows about turns.
pub(crate) fn wake_after_turn(cx: &mut Context<'_>) {
    // Outside of tokio, it wakes at once.
    let _ = pin!(yield_now()).poll(cx);
}

/// Part of a runtime that would stand still if this thread blocked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// No runtime.
    Nothing,
    /// A worker of a runtime.
    Worker,
    /// All of a runtime.
    Runtime,
}

/// Returns the part of a runtime that would stand still if this thread blocked.
pub(crate) fn held() -> Held {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(flavor) if runs_tasks() => match flavor {
            RuntimeFlavor::CurrentThread => Held::Runtime,
            _ => Held::Worker,
        },
        _ => Held::Nothing,
    }
}

/// Number of questions after which a runtime stands still. Tokio may poll a task that wakes itself 61 times in a turn
/// (`event_interval`), and queues in it poll their futures a few times each time.
pub(crate) const MAX_QUESTIONS: u32 = 1_000;

/// The next turn of the runtime whose tasks this thread runs.
pub(crate) struct RuntimeTurn {
    woken: Arc<Woken>,
    questions: u32,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl RuntimeTurn {
    pub(crate) fn begin() -> Self {
        // A thread that runs tasks wakes this one when it has run the others, and any other thread does so at once.
        let woken = Arc::<Woken>::default();
        wake_after_turn(&mut Context::from_waker(&Waker::from(Arc::clone(&woken))));
        Self { woken, questions: 0 }
    }

    /// Returns whether the turn has come. On a thread that runs no tasks, it comes at once. A runtime that has ended its
    /// `block_on` before has dropped the waker.
    pub(crate) fn has_come(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed) || Arc::strong_count(&self.woken) == 1
    }

    /// Returns whether the runtime runs its tasks, or `None` if it is too early to know.
    pub(crate) fn goes_on(&mut self) -> Option<bool> {
        self.questions += 1;
        match self.has_come() {
            true => Some(true),
            false if self.questions > MAX_QUESTIONS => Some(false),
            false => None,
        }
    }
}

/// Calls `f` outside of the budget of the task of tokio that runs. Within it, futures of tokio that have used it
/// up stay pending until the task gives its thread back.
pub(crate) fn without_budget<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    let mut future = unconstrained(poll_fn(|_| match f.take() {
        Some(f) => Poll::Ready(f()),
        None => Poll::Pending,
    }));
    match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("it is polled once"),
    }
}
