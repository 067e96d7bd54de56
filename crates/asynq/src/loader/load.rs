//! The future of one key.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use asynq_loader::Settle;
use slotmap::{Key as _, KeyData};

use super::entry::{Outcome, Status};
use super::error::LoadError;
use super::host;
use super::id::EntryId;
use super::key::Key;
use super::outside;
use super::shared::Shared;
use super::state::{Loaded, Registered};
use super::wakers::WaitId;
use crate::batch::{BatchError, BatchErrorKind};
use crate::call_stack::Site;
use crate::futures::{FutureBase, joins_as_itself};
use crate::recording;
use crate::request::current::{self, Round};
use crate::request::progress;
use crate::scheduler::{self, Held, Request, Requester, Scheduler};
use crate::task::on_stack;

/// Future of the value of one key, or of a [`BatchError`].
///
/// It can be awaited anywhere: in a [`request`](crate::request()), in a task of this crate, and in any other async
/// code. It is `Send`, and belongs to no thread.
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct Load<K: Key + Send + Sync, V: Clone + Send + 'static> {
    shared: Arc<Shared<K, V>>,
    state: LoadState<K>,
    wait: Wait,
    /// Turns of the executor that it has seen outside of requests.
    count: Settle,
}

enum LoadState<K> {
    /// The key was not looked up yet.
    New(K),
    Entry(EntryId),
    Failed(Arc<LoadError>),
    Taken,
}

/// The wait of a load for its key, as the last poll has left it.
#[derive(Clone, Copy)]
enum Wait {
    None,
    /// In the scheduler of a thread.
    InScheduler,
    /// By a waker.
    ByWaker(WaitId),
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Load<K, V> {
    #[inline]
    pub(super) fn new(shared: &Arc<Shared<K, V>>, loaded: Loaded<K>) -> Self {
        let state = match loaded {
            Loaded::Entry(entry) => LoadState::Entry(entry),
            Loaded::Later(key) => LoadState::New(key),
            Loaded::Failed(error) => LoadState::Failed(error),
        };
        Self { shared: Arc::clone(shared), state, wait: Wait::None, count: Settle::default() }
    }

    /// Returns the entry of the key, unless the load has its error already.
    #[inline(always)]
    fn entry(&mut self) -> Option<EntryId> {
        if let LoadState::New(_) = self.state {
            self.look_up();
        }
        match self.state {
            LoadState::Entry(entry) => Some(entry),
            LoadState::New(_) => unreachable!("it was looked up"),
            LoadState::Failed(_) | LoadState::Taken => None,
        }
    }

    #[cold]
    fn look_up(&mut self) {
        if let LoadState::New(key) = mem::replace(&mut self.state, LoadState::Taken) {
            self.state = match self.shared.load(key) {
                Loaded::Entry(entry) => LoadState::Entry(entry),
                Loaded::Failed(error) => LoadState::Failed(error),
                Loaded::Later(_) => self.shared.refuse_wait(),
            };
        }
    }

    fn error(&self, kind: BatchErrorKind) -> BatchError {
        let stack = scheduler::with(Scheduler::stack).unwrap_or_default();
        BatchError::new(self.shared.name(), 0, kind, stack)
    }

    #[inline]
    fn output(&self, outcome: Outcome<V>) -> Result<V, BatchError> {
        match outcome {
            Outcome::Value(value) => Ok(value),
            failure => Err(self.failure(failure)),
        }
    }

    #[cold]
    fn failure(&self, outcome: Outcome<V>) -> BatchError {
        match outcome {
            Outcome::Failed(error) => self.error(BatchErrorKind::Failed(error)),
            Outcome::Panicked(panic) => scheduler::throw(panic),
            Outcome::Pending | Outcome::Cached(_) | Outcome::Value(_) => {
                unreachable!("it has failed")
            }
        }
    }

    #[inline(always)]
    fn try_take(&mut self) -> Option<Result<V, BatchError>> {
        match self.state {
            LoadState::Entry(entry) => {
                let outcome = self.shared.take(entry)?;
                self.state = LoadState::Taken;
                recording::taken((self.shared.id, entry));
                Some(self.output(outcome))
            }
            LoadState::New(_) => None,
            LoadState::Failed(_) | LoadState::Taken => Some(self.take_error()),
        }
    }

    #[cold]
    fn take_error(&mut self) -> Result<V, BatchError> {
        match mem::replace(&mut self.state, LoadState::Taken) {
            LoadState::Failed(error) => self.output(Outcome::Failed(error)),
            _ => panic!(
                "a load of {} was polled after it had returned its value",
                self.shared.name()
            ),
        }
    }

    fn fail(&mut self, entry: EntryId, error: LoadError) {
        self.shared.release(entry);
        self.state = LoadState::Failed(Arc::new(error));
    }

    /// Requests the key in the scheduler. Returns whether it is pending.
    #[inline(always)]
    fn request_inside(&mut self, requester: &Requester<'_>) -> bool {
        let Some(entry) = self.entry() else { return false };
        if let Some(error) = self.shared.wait_inside(entry) {
            self.fail(entry, error);
            return false;
        }
        let is_pending = host::request(&self.shared, entry, requester);
        if is_pending {
            self.wait = Wait::InScheduler;
        }
        is_pending
    }

    /// Polls the load outside of tasks. Returns whether it is pending.
    fn request_outside(&mut self, waker: &Waker) -> bool {
        let Some(entry) = self.entry() else { return false };
        if let Some(error) = self.shared.wait_inside(entry) {
            self.fail(entry, error);
            return false;
        }
        let may_be_nested = current::may_be_nested(waker);
        loop {
            let before = match self.wait {
                Wait::ByWaker(wait) => Some(wait),
                Wait::None | Wait::InScheduler => None,
            };
            let registered = self.shared.register(entry, before, waker);
            let Some(Registered { wait, status, slot, has_jobs }) = registered else {
                return false;
            };
            self.wait = Wait::ByWaker(wait);
            let cached = match status {
                Status::Sent => None,
                Status::Unsent => Some(None),
                Status::Cached => Some(Some(slot)),
            };
            let mut again = false;
            let mut may_have_ended = has_jobs;
            if let Some(cached) = cached {
                let shared = &self.shared;
                let round = || Arc::clone(shared) as Arc<dyn Round>;
                if !current::touch(shared.id, cached, round) {
                    again = shared.send_outside(cached, &mut self.count);
                    may_have_ended = true;
                }
            }
            if may_be_nested && self.is_driven_by_executor(entry, waker, before.is_none()) {
                return false;
            }
            if !may_have_ended {
                return true;
            }
            let ended = self.shared.poll_jobs(waker, false);
            if self.shared.is_resolved(entry) {
                return false;
            }
            if again {
                waker.wake_by_ref();
            }
            if !ended {
                return true;
            }
        }
    }
}

/// # Executors inside of a poll
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Load<K, V> {
    /// Notes that the load, which is pending, was polled outside of tasks with a waker that may be the one of an
    /// executor inside of the poll. Makes its key go on if it is. Returns whether the key is resolved then.
    #[cold]
    fn is_driven_by_executor(&mut self, entry: EntryId, waker: &Waker, is_new: bool) -> bool {
        static BLOCKED: Site = Site::made("`block_on` of a load");
        let is_in_request = current::is_active();
        if is_in_request {
            let on = (self.shared.id, entry.data().as_ffi());
            // Those of other loaders are forgotten with the request.
            let has_ended = |(loader, entry)| {
                loader == self.shared.id && self.shared.is_resolved(KeyData::from_ffi(entry).into())
            };
            if !current::poll_nested(waker, on, has_ended) {
                return false;
            }
            current::send_touched();
        } else {
            if !outside::is_of_executor(waker, is_new) {
                return false;
            }
            self.shared.send_waiting();
        }
        self.shared.poll_jobs(waker, true);
        if self.shared.is_resolved(entry) {
            return true;
        }
        let goes_on = match scheduler::held() {
            Held::Nothing => Some(true),
            Held::Runtime if is_in_request => current::runtime_goes_on(waker),
            Held::Worker | Held::Runtime => Some(false),
        };
        match goes_on {
            Some(true) => return false,
            Some(false) => {}
            None => {
                waker.wake_by_ref();
                return false;
            }
        }
        // Goes on as a synchronous call does, or fails as it does.
        on_stack::call(&BLOCKED, self.shared.at, Resolved(self))
            .unwrap_or_else(|error| scheduler::throw(error));
        true
    }
}

/// Future that waits for a load, and leaves its value there.
struct Resolved<'l, K: Key + Send + Sync, V: Clone + Send + 'static>(&'l mut Load<K, V>);

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Request for Resolved<'_, K, V> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.0.request_inside(requester)
    }

    fn take(&mut self) {}
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Future for Resolved<'_, K, V> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Request for Load<K, V> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        if requester.scheduler.is_polling() {
            self.request_inside(requester)
        } else {
            self.request_outside(requester.waker.unwrap_or_else(|| Waker::noop()))
        }
    }

    #[inline]
    fn take(&mut self) -> Self::Output {
        self.try_take()
            .unwrap_or_else(|| unreachable!("the load is awaited before its value is taken"))
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Future for Load<K, V> {
    type Output = Result<V, BatchError>;

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Nearly always, it waits when it is polled first, and then has its value.
        if !matches!(this.wait, Wait::None)
            && let Some(output) = this.try_take()
        {
            progress::note();
            return Poll::Ready(output);
        }
        if scheduler::with(Scheduler::is_polling) {
            return scheduler::poll_pending(this, cx, Self::request_inside);
        }
        if this.request_outside(cx.waker()) {
            if recording::is_on() {
                recording::awaited(Location::caller());
            }
            return Poll::Pending;
        }
        Poll::Ready(this.take())
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> FutureBase for Load<K, V> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        match &self.state {
            LoadState::New(_) => false,
            LoadState::Entry(entry) => self.shared.is_resolved(*entry),
            LoadState::Failed(_) | LoadState::Taken => true,
        }
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        match self.state {
            LoadState::Entry(entry) if !self.shared.is_resolved(entry) => {
                host::on_resolved(&self.shared, entry, callback);
            }
            _ => callback(),
        }
    }
}

// The key is never pinned.
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Unpin for Load<K, V> {}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Drop for Load<K, V> {
    #[inline]
    fn drop(&mut self) {
        if let LoadState::Entry(entry) = self.state {
            self.shared.release(entry);
        }
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> fmt::Debug for Load<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_computed() { "computed" } else { "pending" };
        write!(f, "Load({}, {state})", self.shared.name())
    }
}
