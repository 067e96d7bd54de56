//! Wakers of tasks, which futures from elsewhere may use on any thread.
//!
//! # Note: no lost wake-up
//!
//! A wake-up adds its task to the queue, sets `filled`, and then unparks the scheduler's thread or
//! wakes the executors that poll it. The scheduler sleeps in one of two ways:
//!
//! - `park`: `filled` is set before `unpark`, whose token outlives the check of `filled`;
//! - `sleep`, for other executors: the scheduler sets `sleeping` and then reads `filled`, a wake-up
//!   sets `filled` and then reads `sleeping`. The fences between them forbid that both read the old
//!   value, so the scheduler stays awake or the executors are woken.
//!
//! `crates/asynq/loom` checks this file against all interleavings.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::ptr;
use std::sync::{Arc, PoisonError};
use std::task::{Wake, Waker};

use asynq_engine::TaskId;
use slotmap::{Key, KeyData};

use super::sync::{
    AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, Thread, current, fence, is_current, park,
};

/// Queue of wake-ups that a scheduler has not taken yet. It is shared with other threads.
pub(super) struct WakeQueue {
    thread: Thread,
    /// Set when `tasks` may have something: looking at an empty queue takes no lock.
    filled: AtomicBool,
    tasks: Mutex<Vec<TaskId>>,
    /// Set while the other executors have nothing to do before the next wake-up.
    sleeping: AtomicBool,
    executors: Mutex<Executors>,
    /// Address of a waker of a task while its own thread watches whether it is woken ([`is_passed_on`](Self::is_passed_on)),
    /// then [`PASSED_ON`]. 0 at all other times.
    watched: AtomicUsize,
}

/// No waker has this address.
const PASSED_ON: usize = 1;

/// The wakers of other executors, by their identity.
type Executors = BTreeMap<(usize, usize), Waker>;

impl WakeQueue {
    /// Creates the queue of the scheduler of this thread.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: current(),
            filled: AtomicBool::new(false),
            tasks: Mutex::new(Vec::new()),
            sleeping: AtomicBool::new(false),
            executors: Mutex::new(Executors::new()),
            watched: AtomicUsize::new(0),
        })
    }

    fn push(&self, task: TaskId) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        self.filled.store(true, Ordering::Release);
        self.thread.unpark();
        fence(Ordering::SeqCst); // Pairs with the one in `sleep`.
        self.wake_executors();
    }

    /// Wakes `waker`, and returns whether that has woken the task whose own waker is at the address `own`, at once and on
    /// this thread.
    pub(super) fn is_passed_on(&self, waker: &Waker, own: usize) -> bool {
        /// Ends the watch, also after a panic of the waker.
        struct Watch<'q>(&'q WakeQueue);

        impl Drop for Watch<'_> {
            fn drop(&mut self) {
                self.0.watched.store(0, Ordering::Relaxed);
            }
        }

        self.watched.store(own, Ordering::Relaxed);
        let watch = Watch(self);
        waker.wake_by_ref();
        watch.0.watched.load(Ordering::Relaxed) == PASSED_ON
    }

    #[cold]
    fn note_watched(&self, waker: usize) {
        if self.watched.load(Ordering::Relaxed) == waker && is_current(&self.thread) {
            self.watched.store(PASSED_ON, Ordering::Relaxed);
        }
    }

    /// Returns whether one of two tasks is in the queue.
    pub(super) fn has(&self, tasks: [TaskId; 2]) -> bool {
        self.is_filled()
            && self
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .any(|task| tasks.contains(task))
    }

    /// Adds the waker of an executor that polls the scheduler.
    pub(super) fn add_executor(&self, waker: &Waker) {
        self.sleeping.store(false, Ordering::Relaxed);
        let key = (waker.data().addr(), ptr::from_ref(waker.vtable()).addr());
        let mut executors = self.executors.lock().unwrap_or_else(PoisonError::into_inner);
        executors.entry(key).or_insert_with(|| waker.clone());
    }

    /// Makes the next wake-up wake the executors. Returns whether there has been none yet.
    pub(super) fn sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::Release);
        fence(Ordering::SeqCst); // Pairs with the one in `push`.
        !self.filled.load(Ordering::Acquire) || !self.sleeping.swap(false, Ordering::AcqRel)
    }

    /// Wakes the executors if they sleep. All of them: any one may have dropped its future.
    #[inline]
    pub(super) fn wake_executors(&self) {
        if self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::AcqRel) {
            self.wake_all_executors();
        }
    }

    #[cold]
    pub(super) fn wake_all_executors(&self) {
        for (_, waker) in self.take_executors() {
            waker.wake();
        }
    }

    /// Removes and returns the wakers of the executors.
    pub(super) fn take_executors(&self) -> Executors {
        mem::take(&mut self.executors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether there may be a wake-up. A hint: what it misses is seen the next time, or
    /// ends the `park`.
    #[inline]
    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed)
    }

    pub(super) fn drain(&self) -> Vec<TaskId> {
        self.filled.store(false, Ordering::Release);
        mem::take(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a wake-up. May return without one, so callers look again.
    pub(super) fn park(&self) {
        if !self.filled.load(Ordering::Acquire) {
            park();
        }
    }
}

/// A waker that is lent to one task after another, as long as nobody keeps a clone of it.
pub(super) struct TaskWaker {
    shared: Arc<Shared>,
    waker: Waker,
}

struct Shared {
    task: AtomicU64,
    queue: Arc<WakeQueue>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queue.watched.load(Ordering::Relaxed) != 0 {
            self.queue.note_watched(ptr::from_ref(&**self).addr());
        }
        self.queue.push(TaskId::from(KeyData::from_ffi(self.task.load(Ordering::Relaxed))));
    }
}

impl TaskWaker {
    pub(super) fn new(queue: &Arc<WakeQueue>) -> Self {
        let task = AtomicU64::new(TaskId::null().data().as_ffi());
        let shared = Arc::new(Shared { task, queue: Arc::clone(queue) });
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Lends the waker to `task`.
    pub(super) fn lend(&self, task: TaskId) {
        self.shared.task.store(task.data().as_ffi(), Ordering::Relaxed);
    }

    /// Returns whether somebody keeps a clone, and may wake the task that it was lent to. If not,
    /// all the wake-ups through former clones are in the queue.
    pub(super) fn is_kept(&self) -> bool {
        // One for `shared` and one for `waker`.
        let kept = Arc::strong_count(&self.shared) > 2;
        // Pairs with the release in the drop of the clones.
        fence(Ordering::Acquire);
        kept
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}

/// The wakers of a scheduler.
#[derive(Default)]
pub(super) struct Wakers {
    /// Waker for a task without one of its own: almost every task.
    // Boxed, because it is moved to and fro in each poll.
    spare: Cell<Option<Box<TaskWaker>>>,
    /// Wakers of which somebody keeps a clone, by their tasks.
    kept: RefCell<HashMap<TaskId, Box<TaskWaker>>>,
    /// Cleared when `kept` is empty, the common case.
    has_kept: Cell<bool>,
}

impl Wakers {
    /// Takes the waker for the next poll of `task`.
    #[inline]
    #[allow(clippy::unnecessary_box_returns, reason = "one word is moved, not three")]
    pub(super) fn take(&self, task: TaskId, queue: &Arc<WakeQueue>) -> Box<TaskWaker> {
        let waker = self.remove(task).or_else(|| self.spare.take());
        let waker = waker.unwrap_or_else(|| Box::new(TaskWaker::new(queue)));
        waker.lend(task);
        waker
    }

    /// Takes back a waker of which nobody keeps a clone.
    #[inline]
    pub(super) fn give_back(&self, waker: Box<TaskWaker>) {
        self.spare.set(Some(waker));
    }

    /// Removes the waker that `task` has of its own.
    #[inline]
    pub(super) fn remove(&self, task: TaskId) -> Option<Box<TaskWaker>> {
        if self.has_kept.get() { self.remove_kept(task) } else { None }
    }

    #[cold]
    fn remove_kept(&self, task: TaskId) -> Option<Box<TaskWaker>> {
        let mut kept = self.kept.borrow_mut();
        let waker = kept.remove(&task);
        self.has_kept.set(!kept.is_empty());
        waker
    }

    /// Keeps the waker of a task of which somebody keeps a clone.
    #[cold]
    pub(super) fn keep(&self, task: TaskId, waker: Box<TaskWaker>) {
        self.kept.borrow_mut().insert(task, waker);
        self.has_kept.set(true);
    }
}
