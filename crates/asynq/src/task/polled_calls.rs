//! Calls of a join outside of tasks, of which only those are polled that were woken.
//!
//! # Note: wakers of groups
//!
//! A waker for each call would cost an allocation, and a wake-up for each load. So the calls of a group share one.
//! That a group was woken does not say which of its calls can go on. Calls that wait for loads can nearly always do so
//! together, and then a poll of the group is what has to be done anyway. A call that was polled in vain gets a waker
//! of its own: no call is polled in vain more than twice, whatever it waits for.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::{mem, thread, vec};

use futures_util::task::AtomicWaker;
use pin_project_lite::pin_project;

use super::chunk::Chunk;
use crate::nested_wakers::with_join;
use crate::request::{current, progress};

/// Number of calls in a group.
const GROUP: usize = 256;

/// Maximum size of a call in a block, which is moved as a whole while it is made.
const MAX_SIZE: usize = 1 << 10;

/// Futures that are polled together, until each of them has a value or has panicked.
pub(super) struct PolledCalls<F: Future> {
    calls: Calls<F>,
    groups: Vec<Group>,
    /// Values in the order of the futures.
    values: Vec<Option<thread::Result<F::Output>>>,
    /// Number of futures that have none.
    pending: usize,
    has_begun: bool,
    woken: Arc<Woken>,
}

struct Group {
    waker: Waker,
    /// Wakers of calls that were polled in vain.
    own: Vec<Option<Waker>>,
}

/// Pinned calls, several of them in one allocation.
enum Calls<F> {
    Small(Vec<Pin<Box<Block<F>>>>),
    Large(Vec<Pin<Box<Chunk<Slot<F>>>>>),
}

type Block<F> = Chunk<Chunk<Chunk<Slot<F>>>>;

/// Number of calls in a block, and in a chunk.
const BLOCK: usize = CHUNK * CHUNK * CHUNK;
const CHUNK: usize = Chunk::<()>::LEN as usize;

pin_project! {
    #[project = SlotProjection]
    enum Slot<F> {
        Pending { #[pin] call: F },
        Ended,
    }
}

/// The groups and calls of a join that were woken, until the join is dropped.
struct Woken {
    places: Mutex<Option<Vec<Arc<PlaceWaker>>>>,
    task: AtomicWaker,
}

/// Waker of a group, or of one of its calls.
struct PlaceWaker {
    group: usize,
    call: Option<usize>,
    is_woken: AtomicBool,
    join: Arc<Woken>,
}

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Self { places: Mutex::new(Some(Vec::new())), task: AtomicWaker::new() })
    }

    fn waker(self: &Arc<Self>, group: usize, call: Option<usize>) -> Waker {
        let (is_woken, join) = (AtomicBool::new(false), Arc::clone(self));
        Waker::from(Arc::new(PlaceWaker { group, call, is_woken, join }))
    }

    fn take(&self) -> Vec<Arc<PlaceWaker>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.as_mut().map(mem::take).unwrap_or_default()
    }

    fn close(&self) {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(places);
    }
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let join = Arc::clone(&self.join);
        let is_first = {
            let mut places = join.places.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(places) = &mut *places else { return };
            places.push(self);
            places.len() == 1
        };
        // Otherwise the task was woken already, and has not taken the others yet.
        if is_first {
            join.task.wake();
        }
    }
}

impl<F: Future> PolledCalls<F> {
    pub(super) fn new(calls: Vec<F>) -> Self {
        let (pending, woken) = (calls.len(), Woken::new());
        let group = |group| Group { waker: woken.waker(group, None), own: Vec::new() };
        let groups = (0..pending.div_ceil(GROUP)).map(group).collect();
        let mut values = Vec::new();
        values.resize_with(pending, || None);
        let calls = Calls::new(calls.into_iter());
        Self { calls, groups, values, pending, has_begun: false, woken }
    }

    /// Polls the calls of a group that are pending. `passes_on` as in [`poll_with`].
    fn poll_group(&mut self, group: usize, is_first: bool, passes_on: bool) {
        let Group { waker, own } = &self.groups[group];
        let first = group * GROUP;
        let (values, pending) = (&mut self.values[first..], &mut self.pending);
        let mut index = 0;
        let mut in_vain = Vec::new();
        let calls = &mut self.calls;
        let mut poll = |call: Pin<&mut Slot<F>>| {
            let before = progress::count();
            let own = own.get(index).and_then(Option::as_ref);
            let polled = match own {
                Some(own) => poll_with(own, passes_on, || call.poll(own)),
                None => call.poll(waker),
            };
            match polled {
                Some(Poll::Ready(value)) => {
                    values[index] = Some(value);
                    *pending -= 1;
                }
                Some(Poll::Pending)
                    if !is_first && progress::count() == before && own.is_none() =>
                {
                    in_vain.push(index);
                }
                Some(Poll::Pending) | None => {}
            }
            index += 1;
        };
        poll_with(waker, passes_on, || calls.each(group, &mut poll));
        for index in in_vain {
            self.give_waker(group, index);
        }
    }

    /// Polls a call, if it is pending.
    fn poll_call(&mut self, group: usize, index: usize, passes_on: bool) {
        let Group { waker, own } = &self.groups[group];
        let own = own.get(index).and_then(Option::as_ref);
        let place = group * GROUP + index;
        let waker = own.unwrap_or(waker);
        let call = self.calls.at(place);
        if let Some(Poll::Ready(value)) = poll_with(waker, passes_on, || call.poll(waker)) {
            self.values[place] = Some(value);
            self.pending -= 1;
        }
    }

    /// Gives a call a waker of its own, with which it is polled from now on.
    #[cold]
    fn give_waker(&mut self, group: usize, index: usize) {
        let own = &mut self.groups[group].own;
        if own.is_empty() {
            own.resize(GROUP, None);
        }
        own[index] = Some(self.woken.waker(group, Some(index)));
    }
}

/// Calls `poll`, which polls calls with `waker`. `passes_on` says that the join itself is not polled by an executor inside
/// of a poll, so neither are its calls.
#[inline]
fn poll_with<R>(waker: &Waker, passes_on: bool, poll: impl FnOnce() -> R) -> R {
    if passes_on { with_join(waker, poll) } else { poll() }
}

impl<F> Calls<F> {
    fn new(mut calls: vec::IntoIter<F>) -> Self {
        let len = calls.len();
        let mut next = || calls.next().map_or(Slot::Ended, |call| Slot::Pending { call });
        if size_of::<F>() <= MAX_SIZE {
            let mut block = || Chunk::fill(|| Chunk::fill(|| Chunk::fill(&mut next)));
            Self::Small((0..len.div_ceil(BLOCK)).map(|_| Box::pin(block())).collect())
        } else {
            let chunks = 0..len.div_ceil(CHUNK);
            Self::Large(chunks.map(|_| Box::pin(Chunk::fill(&mut next))).collect())
        }
    }

    /// Calls `f` with each call of a group.
    #[inline]
    fn each(&mut self, group: usize, mut f: impl FnMut(Pin<&mut Slot<F>>)) {
        match self {
            Self::Small(blocks) => {
                for block in blocks.chunks_mut(GROUP / BLOCK).nth(group).into_iter().flatten() {
                    block.as_mut().each(|chunks| chunks.each(|chunk| chunk.each(&mut f)));
                }
            }
            Self::Large(chunks) => {
                for chunk in chunks.chunks_mut(GROUP / CHUNK).nth(group).into_iter().flatten() {
                    chunk.as_mut().each(&mut f);
                }
            }
        }
    }

    fn at(&mut self, index: usize) -> Pin<&mut Slot<F>> {
        let (chunk, index) = (index / CHUNK, index % CHUNK);
        match self {
            Self::Small(blocks) => {
                let (block, chunk) = (chunk / (CHUNK * CHUNK), chunk % (CHUNK * CHUNK));
                let chunks = blocks[block].as_mut().at_mut(chunk / CHUNK);
                chunks.at_mut(chunk % CHUNK).at_mut(index)
            }
            Self::Large(chunks) => chunks[chunk].as_mut().at_mut(index),
        }
    }
}

impl<F: Future> Slot<F> {
    /// Polls the call, if it is pending.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, waker: &Waker) -> Option<Poll<thread::Result<F::Output>>> {
        let SlotProjection::Pending { call } = self.as_mut().project() else { return None };
        // The others of the join run to their ends, too.
        let polled = catch_unwind(AssertUnwindSafe(|| call.poll(&mut Context::from_waker(waker))));
        let ended = match polled {
            Ok(Poll::Pending) => return Some(Poll::Pending),
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(payload),
        };
        self.set(Self::Ended);
        Some(Poll::Ready(ended))
    }
}

impl<F: Future> Future for PolledCalls<F> {
    type Output = Vec<thread::Result<F::Output>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.woken.task.register(cx.waker());
        let passes_on = !current::may_be_nested(cx.waker());
        if mem::replace(&mut this.has_begun, true) {
            for woken in this.woken.take() {
                woken.is_woken.swap(false, Ordering::AcqRel);
                match woken.call {
                    None => this.poll_group(woken.group, false, passes_on),
                    Some(call) => this.poll_call(woken.group, call, passes_on),
                }
            }
        } else {
            (0..this.groups.len()).for_each(|group| this.poll_group(group, true, passes_on));
        }
        if this.pending > 0 {
            return Poll::Pending;
        }
        let value = |value: Option<_>| value.unwrap_or_else(|| unreachable!("it has ended"));
        Poll::Ready(mem::take(&mut this.values).into_iter().map(value).collect())
    }
}

// The calls are pinned in their blocks.
impl<F: Future> Unpin for PolledCalls<F> {}

impl<F: Future> Drop for PolledCalls<F> {
    fn drop(&mut self) {
        self.woken.close();
    }
}
