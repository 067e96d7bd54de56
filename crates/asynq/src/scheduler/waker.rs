//! Wake-ups by futures that are not ours, possibly from other threads.

use std::collections::BTreeMap;
use std::mem;
use std::ptr;
use std::sync::atomic::{self, AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};

use asynq_engine::TaskId;
use slotmap::{Key, KeyData};

/// The wake-ups that a scheduler has not seen yet.
#[derive(Debug)]
pub(crate) struct WakeQueue {
    thread: Thread,
    /// Whether `tasks` may have something, so that a look at an empty queue costs no lock.
    filled: AtomicBool,
    tasks: Mutex<Vec<TaskId>>,
    /// Whether `outside` waits for the next thing that happens.
    sleeping: AtomicBool,
    outside: Mutex<Outside>,
}

/// The wakers of other executors, by what tells one from another.
type Outside = BTreeMap<(usize, usize), Waker>;

impl WakeQueue {
    /// The queue of the scheduler of this thread.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: thread::current(),
            filled: AtomicBool::new(false),
            tasks: Mutex::default(),
            sleeping: AtomicBool::new(false),
            outside: Mutex::default(),
        })
    }

    fn push(&self, task: TaskId) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        // Pairs with `sleep`: it sees this, or `wake_outside` sees that it sleeps.
        self.filled.store(true, Ordering::SeqCst);
        self.thread.unpark();
        self.wake_outside();
    }

    /// Adds an executor that polls us from outside to those that are woken.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.sleeping.store(false, Ordering::SeqCst);
        let key = (waker.data().addr(), ptr::from_ref(waker.vtable()).addr());
        let mut outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        outside.entry(key).or_insert_with(|| waker.clone());
    }

    /// From now on, what happens wakes those outside. Returns whether nothing has happened yet.
    pub(crate) fn sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        !self.filled.load(Ordering::SeqCst) || !self.sleeping.swap(false, Ordering::SeqCst)
    }

    /// Something happened that may set going what is polled from outside. All of those who poll
    /// are woken: any one of them may have lost interest.
    #[inline]
    pub(crate) fn wake_outside(&self) {
        if self.sleeping.load(Ordering::SeqCst) && self.sleeping.swap(false, Ordering::SeqCst) {
            self.wake_all_outside();
        }
    }

    #[cold]
    pub(crate) fn wake_all_outside(&self) {
        for (_, waker) in self.take_outside() {
            waker.wake();
        }
    }

    /// Forgets those outside.
    pub(crate) fn take_outside(&self) -> Outside {
        mem::take(&mut self.outside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there may be something. Only a hint: what is missed here is seen at the next look,
    /// or ends the `park`.
    #[inline]
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) -> Vec<TaskId> {
        self.filled.store(false, Ordering::Release);
        mem::take(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a wake-up, or for nothing: callers look again.
    pub(crate) fn park(&self) {
        if !self.filled.load(Ordering::Acquire) {
            thread::park();
        }
    }
}

/// A waker that can be lent to one task after another, as long as nobody keeps a clone of it.
pub(crate) struct TaskWaker {
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
        self.queue.push(TaskId::from(KeyData::from_ffi(self.task.load(Ordering::Relaxed))));
    }
}

impl TaskWaker {
    pub(crate) fn new(queue: &Arc<WakeQueue>) -> Self {
        let task = AtomicU64::new(TaskId::null().data().as_ffi());
        let shared = Arc::new(Shared { task, queue: Arc::clone(queue) });
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Lends the waker to `task`.
    pub(crate) fn lend(&self, task: TaskId) {
        self.shared.task.store(task.data().as_ffi(), Ordering::Relaxed);
    }

    /// Whether somebody keeps a clone, and so may wake the task that it was lent to. If not, all
    /// the wake-ups through former clones are in the queue by now.
    pub(crate) fn is_kept(&self) -> bool {
        // One for `shared` and one for `waker`.
        let kept = Arc::strong_count(&self.shared) > 2;
        // Pairs with the release in the drop of the clones.
        atomic::fence(Ordering::Acquire);
        kept
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }
}
