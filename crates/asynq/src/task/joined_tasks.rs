//! The tasks of the calls of an iterator in a join.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::thread;

use pin_project_lite::pin_project;

use super::call::Call;
use super::chunk::Chunk;
use super::computation::{AnyComputation, Body, Computation, Computations, Run, Stepped};
use super::handle::{AsyncTask, Shown};
use super::{deferred_drop, end, request};
use crate::call_stack::Origin;
use crate::error::TaskError;
use crate::futures::{Countdown, FutureBase};
use crate::scheduler::{self, Requester, Scheduler};

/// Number of tasks in one allocation.
const LEN: u8 = Chunk::<()>::LEN;

/// Tasks that nobody but their join has, in the order of its calls.
///
/// So they need no handles, and several of them are in one allocation.
pub(super) struct JoinedTasks<F: Future<Output: 'static> + 'static> {
    chunks: Vec<Pin<Rc<Chunk<Member<F>>>>>,
    len: usize,
}

pin_project! {
    #[project_ref = MemberProjection]
    enum Member<F: Future>
    where
        F::Output: 'static,
    {
        Cell { #[pin] cell: Computation<Run<F, F::Output>> },
        // The call was a task before.
        Task { task: AsyncTask<F::Output> },
        // There are no more calls.
        None,
    }
}

impl<F: Future<Output: 'static> + 'static> Computations for Chunk<Member<F>> {
    #[inline]
    fn at(self: Pin<&Self>, index: u8) -> Pin<&Computation<dyn Body>> {
        match Chunk::at(self, index).project_ref() {
            MemberProjection::Cell { cell } => cell,
            MemberProjection::Task { .. } | MemberProjection::None => {
                unreachable!("the engine has got a computation")
            }
        }
    }

    fn step(self: Pin<&Self>, index: u8, cx: &mut Context<'_>) -> Stepped {
        match Chunk::at(self, index).project_ref() {
            MemberProjection::Cell { cell } => cell.step(cx),
            MemberProjection::Task { .. } | MemberProjection::None => {
                unreachable!("the engine has got a computation")
            }
        }
    }
}

/// One of the tasks.
enum Joined<'j, F: Future<Output: 'static> + 'static> {
    Cell {
        chunk: &'j Pin<Rc<Chunk<Member<F>>>>,
        index: u8,
        cell: Pin<&'j Computation<Run<F, F::Output>>>,
    },
    Task(&'j AsyncTask<F::Output>),
}

impl<'j, F: Future<Output: 'static> + 'static> Joined<'j, F> {
    #[inline]
    fn at(chunk: &'j Pin<Rc<Chunk<Member<F>>>>, index: u8) -> Option<Self> {
        match Chunk::at(chunk.as_ref(), index).project_ref() {
            MemberProjection::Cell { cell } => Some(Self::Cell { chunk, index, cell }),
            MemberProjection::Task { task } => Some(Self::Task(task)),
            MemberProjection::None => None,
        }
    }

    #[inline(always)]
    fn request(&self, requester: &Requester<'_>) -> bool {
        match self {
            Self::Cell { chunk, index, cell } if requester.waker.is_none() && cell.is_new() => {
                request::request_new(*cell, any(chunk, *index), requester.scheduler);
                true
            }
            Self::Cell { chunk, index, cell } => {
                request::request(*cell, || any(chunk, *index), requester)
            }
            Self::Task(task) => task.request_value(requester),
        }
    }

    fn is_computed(&self) -> bool {
        match self {
            Self::Cell { cell, .. } => cell.is_computed(),
            Self::Task(task) => task.is_computed(),
        }
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        match self {
            Self::Cell { cell, .. } if !cell.is_computed() => cell.add_callback(callback),
            Self::Cell { .. } => callback(),
            Self::Task(task) => task.on_computed(callback),
        }
    }

    #[inline]
    fn result(&self) -> Result<F::Output, TaskError> {
        match self {
            Self::Cell { cell, .. } => cell.take_result(),
            Self::Task(task) => task.result(),
        }
    }

    /// Ends the task, of which the join drops what it has. Returns the panic of a destructor.
    fn discard(&self) -> thread::Result<()> {
        match self {
            Self::Cell { chunk, index, cell } if !cell.is_computed() => {
                let dropped = deferred_drop::discard(any(chunk, *index));
                end::end(cell, None);
                dropped
            }
            _ => Ok(()),
        }
    }
}

fn any<F: Future<Output: 'static> + 'static>(
    chunk: &Pin<Rc<Chunk<Member<F>>>>,
    index: u8,
) -> AnyComputation {
    AnyComputation::Joined { with: Pin::clone(chunk) as Pin<Rc<dyn Computations>>, index }
}

impl<F: Future<Output: 'static> + 'static> JoinedTasks<F> {
    /// Makes tasks of calls.
    pub(super) fn new(calls: impl Iterator<Item = Call<F>>) -> Self {
        let creator = scheduler::with(Scheduler::creator);
        let (mut calls, mut len) = (calls.fuse(), 0);
        let mut chunks = Vec::with_capacity(calls.size_hint().0.div_ceil(LEN.into()));
        loop {
            let before = len;
            let chunk = Chunk::fill(|| {
                let Some(call) = calls.next() else { return Member::None };
                len += 1;
                match call.into_body() {
                    Ok((site, at, future)) => {
                        let origin = Origin { site, at, creator: creator.clone() };
                        Member::Cell { cell: Computation::of(origin, Run::Pending { future }) }
                    }
                    Err(task) => Member::Task { task },
                }
            });
            if len == before {
                return Self { chunks, len };
            }
            chunks.push(Rc::pin(chunk));
        }
    }

    #[inline]
    fn iter(&self) -> impl Iterator<Item = Joined<'_, F>> {
        let of_chunk = |chunk| (0..LEN).map_while(move |index| Joined::at(chunk, index));
        self.chunks.iter().flat_map(of_chunk)
    }

    /// Requests the values of all tasks. Returns whether any of them is pending.
    pub(super) fn request(&self, requester: &Requester<'_>) -> bool {
        let mut is_pending = false;
        for chunk in &self.chunks {
            for index in 0..LEN {
                let Some(task) = Joined::at(chunk, index) else { break };
                is_pending |= task.request(requester);
            }
        }
        is_pending
    }

    pub(super) fn are_computed(&self) -> bool {
        self.iter().all(|task| task.is_computed())
    }

    /// Takes the values of the tasks, which have all ended.
    pub(super) fn take_values(&mut self) -> Vec<F::Output> {
        // Dropped at the end, also if one of them has failed.
        let tasks = Self { chunks: mem::take(&mut self.chunks), len: self.len };
        tasks.iter().fold(Vec::with_capacity(tasks.len), |mut values, task| {
            values.push(task.result().unwrap_or_else(|error| scheduler::throw(error)));
            values
        })
    }

    pub(super) fn on_computed(&self, callback: Box<dyn FnOnce()>) {
        let countdown = Countdown::new(callback);
        for task in self.iter() {
            let handle = Rc::clone(&countdown);
            task.on_computed(move || handle.done());
        }
        countdown.done();
    }
}

impl<F: Future<Output: 'static> + 'static> Drop for JoinedTasks<F> {
    fn drop(&mut self) {
        let mut discarded = Ok(());
        for task in self.iter() {
            discarded = discarded.and(task.discard());
        }
        end::resume_panic(discarded);
    }
}

impl<F: Future<Output: 'static> + 'static> fmt::Debug for JoinedTasks<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for task in self.iter() {
            match task {
                Joined::Cell { cell, .. } => list.entry(&Shown(cell.get_ref())),
                Joined::Task(task) => list.entry(task),
            };
        }
        list.finish()
    }
}
