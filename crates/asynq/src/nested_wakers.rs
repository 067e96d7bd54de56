//! Wakers of executors that run inside of a poll: `block_on` in a task or in a request.
//!
//! # Note: wakers inside of a poll
//!
//! Code that is being polled may poll futures with another waker than its own. A combinator such as `FuturesUnordered`
//! does so, and returns. An executor such as `block_on` does so, and holds the thread until its waker is woken: then
//! nothing else can go on, so whatever it waits for has to go on now.
//!
//! Nothing tells which of them it is. So the waker is woken at once, which a future is always allowed to do. A combinator
//! passes that on to the waker of the poll, and comes back to its future in a later poll. An executor polls the future
//! again in the same poll.
//!
//! A combinator that was woken already passes nothing on, and one whose other futures are ready may come back in the same
//! poll. So a waker that passes nothing on counts as an executor's when its future has been polled again
//! [`MAX_PASSES`] times. If that is wrong, keys are sent earlier than necessary.
//!
//! The futures of a queue have wakers of one type, and are polled at the same depth of the native stack. So one of them
//! stands for all; a later queue inside of an executor is at another depth.
//!
//! A join of this crate says that its wakers pass on ([`with_join`]), so they are not woken to find that out: each of its
//! calls would be polled once more in vain.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::{mem, ptr};

use crate::scheduler::RuntimeTurn;

/// Number of times for which a future is polled again in a poll before its waker counts as one of an executor.
const MAX_PASSES: u32 = 8;

/// Number of times for which an executor is woken although nothing can go on, so that it polls its other futures.
const MAX_STUCK: u32 = 3;

/// The wakers, besides its own, with which the code of a task or request polls futures that wait for a `D`.
pub(crate) struct NestedWakers<D> {
    /// Number of the poll that the following are about.
    poll: u64,
    wakers: Vec<Nested<D>>,
    /// Queues whose wakers are passed on, as far as is known: type of the wakers, and depth of the native stack.
    queues: Vec<(usize, usize)>,
    /// Types of wakers of executors.
    executors: Vec<usize>,
    /// Waits with their wakers that were woken, and the code that polled them last. They are not woken again.
    known: BTreeMap<(Identity, D), u64>,
    max_known: usize,
}

/// Addresses of the data and of the type of a waker.
type Identity = (usize, usize);

/// A waker that may be one of an executor.
struct Nested<D> {
    id: Identity,
    on: BTreeSet<D>,
    /// The waits that were polled in this pass.
    pass: BTreeSet<D>,
    passes: u32,
    is_executor: bool,
    stuck: u32,
    turn: Option<RuntimeTurn>,
}

/// Consequence of a poll with another waker than that of the code.
pub(crate) enum Next<D> {
    /// The future waits. Somebody will poll it again.
    Wait,
    /// The same, but other code has polled it before, whose other futures may belong to this code now, too.
    Moved,
    /// The waker is to be woken, to find out whose it is: see [`woken`](NestedWakers::woken).
    Wake,
    /// An executor holds the thread until one of these has gone on.
    Drive(Vec<D>),
}

impl<D> Default for NestedWakers<D> {
    fn default() -> Self {
        Self {
            poll: 0,
            wakers: Vec::new(),
            queues: Vec::new(),
            executors: Vec::new(),
            known: BTreeMap::new(),
            max_known: 16,
        }
    }
}

impl<D: Copy + Ord> NestedWakers<D> {
    /// Notes that a future which was polled with `waker`, in the poll of this number, waits for `on`. `code` is a number of
    /// the code that is polled, `depth` an address in the native stack.
    pub(crate) fn poll(
        &mut self,
        (code, poll): (u64, u64),
        waker: &Waker,
        on: &[D],
        depth: usize,
        has_ended: impl Fn(D) -> bool,
    ) -> Next<D> {
        if self.poll != poll {
            self.poll = poll;
            self.wakers.clear();
            self.queues.clear();
            self.executors.clear();
        }
        let Some(&first) = on.first() else { return Next::Wait };
        let id = identity(waker);
        let is_executor = self.executors.contains(&id.1);
        if let Some(nested) = self.wakers.iter_mut().find(|nested| nested.id == id) {
            let is_again = nested.on.contains(&first);
            let is_new_pass = nested.pass.contains(&first);
            nested.on.extend(on);
            if is_new_pass {
                nested.pass.clear();
                nested.passes += 1;
            }
            nested.pass.extend(on);
            if nested.passes > MAX_PASSES && !nested.is_executor {
                nested.is_executor = true;
                self.queues.retain(|queue| queue.0 != id.1);
                self.executors.push(id.1);
            }
            return match nested.is_executor {
                true if is_again => {
                    // The executor may hold a queue, whose futures have wakers of their own.
                    let all = self.wakers.iter().flat_map(|nested| &nested.on).copied();
                    let all: BTreeSet<_> = all.filter(|&on| !has_ended(on)).collect();
                    Next::Drive(all.into_iter().collect())
                }
                false if !is_new_pass => Next::Wait,
                true | false => Next::Wake,
            };
        }
        let is_queue = self.queues.contains(&(id.1, depth));
        if is_queue && !is_executor {
            return Next::Wait;
        }
        if let Some(known) = self.known.get_mut(&(id, first)) {
            return if mem::replace(known, code) == code { Next::Wait } else { Next::Moved };
        }
        self.know(id, first, code, has_ended);
        let on: BTreeSet<D> = on.iter().copied().collect();
        let (pass, passes) = (on.clone(), 0);
        self.wakers.push(Nested { id, on, pass, passes, is_executor, stuck: 0, turn: None });
        Next::Wake
    }

    fn know(&mut self, id: Identity, on: D, code: u64, has_ended: impl Fn(D) -> bool) {
        if self.known.len() >= self.max_known {
            self.known.retain(|&(_, on), _| !has_ended(on));
            self.max_known = 16.max(2 * self.known.len());
        }
        self.known.insert((id, on), code);
    }

    /// Notes that `waker` was woken. `is_passed_on` says that this has woken the code that is being polled, `was_woken`
    /// that it had been woken before.
    pub(crate) fn woken(
        &mut self,
        waker: &Waker,
        depth: usize,
        is_passed_on: bool,
        was_woken: bool,
    ) {
        let id = identity(waker);
        let Some(place) = self.wakers.iter().position(|nested| nested.id == id) else { return };
        if self.wakers[place].passes > 0 {
            return;
        }
        if is_passed_on {
            self.wakers.swap_remove(place);
        }
        if is_passed_on || was_woken {
            self.queues.push((id.1, depth));
        }
    }

    /// Notes that nothing can go on which the executor of `waker` waits for. Returns whether it has been told often enough.
    pub(crate) fn is_stuck(&mut self, waker: &Waker) -> bool {
        self.find(waker).is_none_or(|nested| {
            nested.stuck += 1;
            nested.stuck > MAX_STUCK
        })
    }

    /// Returns whether the runtime of this thread goes on while the executor of `waker` runs: it is that executor itself.
    /// None if that is not known yet: the executor has to poll again.
    pub(crate) fn runtime_goes_on(&mut self, waker: &Waker) -> Option<bool> {
        let Some(nested) = self.find(waker) else { return Some(true) };
        nested.turn.get_or_insert_with(RuntimeTurn::begin).goes_on()
    }

    fn find(&mut self, waker: &Waker) -> Option<&mut Nested<D>> {
        let id = identity(waker);
        self.wakers.iter_mut().find(|nested| nested.id == id)
    }
}

fn identity(waker: &Waker) -> Identity {
    (waker.data().addr(), type_of(waker))
}

/// Returns the address of the type of a waker.
pub(crate) fn type_of(waker: &Waker) -> usize {
    ptr::from_ref(waker.vtable()).addr()
}

/// Type of the wakers of tokio's tasks, once it is known. Such a task gives its thread back.
static TASK: AtomicUsize = AtomicUsize::new(0);

/// Notes that a task of tokio has this waker.
pub(crate) fn note_task(waker: &Waker) {
    TASK.store(type_of(waker), Ordering::Relaxed);
}

/// Returns whether a waker is not known to be one of a task of tokio.
#[inline]
pub(crate) fn may_be_of_executor(waker: &Waker) -> bool {
    TASK.load(Ordering::Relaxed) != type_of(waker)
}

thread_local! {
    /// The waker with which a join of this crate polls its calls. No waker has zeros, since its type has an address.
    static OF_JOIN: Cell<Identity> = const { Cell::new((0, 0)) };
}

/// Calls `f`, which polls calls of a join with `waker`. The join passes a wake-up on to the waker that it was polled with.
pub(crate) fn with_join<R>(waker: &Waker, f: impl FnOnce() -> R) -> R {
    /// Restores the join around, also after a panic.
    struct Leave(Identity);

    impl Drop for Leave {
        fn drop(&mut self) {
            OF_JOIN.set(self.0);
        }
    }

    let _leave = Leave(OF_JOIN.replace(identity(waker)));
    f()
}

/// Returns whether a join of this crate polls with `waker`, and passes wake-ups on.
#[inline]
pub(crate) fn is_of_join(waker: &Waker) -> bool {
    OF_JOIN.get() == identity(waker)
}

/// Returns an address in the native stack of this thread.
#[inline(never)]
pub(crate) fn stack_depth() -> usize {
    let marker = 0_u8;
    ptr::from_ref(std::hint::black_box(&marker)).addr()
}
