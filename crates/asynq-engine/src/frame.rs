//! A frame: one synchronous call that is being driven.
//!
//! # Note: what a frame drives
//!
//! A frame drives what its root needs, and nothing else. Every task and batch carries the id of the
//! innermost frame that needs it. When a task blocks, its dependencies are *claimed* for the frame
//! it runs in: a dependency that an outer frame had claimed before changes hands, and so does
//! everything that it waits for in its turn. A task is claimed at most once per frame that needs
//! it, so claims cost no more than the edges they follow.
//!
//! Frame ids grow and are never used again. So when a frame ends and something of it is left (its
//! root failed, or waited for the first of several things), no node has to be touched: the owner of
//! a node is by definition the innermost living frame whose id is not greater than the node's,
//! which is the frame that the ended one was called from. A frame that starts later has a greater
//! id and gets the node only if it claims it. A node whose frames have all ended rests until a task
//! depends on it or a call needs it.

use alloc::vec::Vec;

use crate::dependency::{Dependency, Named};
use crate::flush_queue::FlushQueue;
use crate::host::{Host, Priority};
use crate::id::{BatchId, ContextId, FrameId, Stamp, TaskId};
use crate::ready::{End, Ready};
use crate::task::{State, Task};
use crate::waiter::Waiter;

#[derive(Debug)]
pub(crate) struct Frame<P> {
    pub(crate) id: FrameId,
    pub(crate) root: TaskId,
    /// The task that runs in this frame, between `Step::Run` and the answer to it.
    pub(crate) running: Option<TaskId>,
    /// The dependencies that the running task has named so far.
    pub(crate) dependencies: Named,
    /// The batch that `Step::Flush` has chosen last, if there were contexts.
    pub(crate) chosen: Option<BatchId>,
    pub(crate) ready: Ready,
    pub(crate) flush_queue: FlushQueue<P>,
    /// Number of tasks of this frame, and of its flushes in flight, that something outside the
    /// engine can set going.
    pub(crate) external_waits: usize,
    /// The innermost context that was active when the call was made, and is again when it returns.
    pub(crate) callers: Option<ContextId>,
    /// The driver gives up: the frame pauses what is active, then ends.
    pub(crate) abandoned: bool,
}

/// The lists of a frame that has ended, empty: the next call need not allocate its own.
#[derive(Debug)]
struct Lists<P> {
    dependencies: Named,
    ready: Ready,
    flush_queue: FlushQueue<P>,
}

impl<P> Default for Lists<P> {
    fn default() -> Self {
        Self {
            dependencies: Named::default(),
            ready: Ready::default(),
            flush_queue: FlushQueue::default(),
        }
    }
}

/// The frames of an engine, as a stack: the innermost call is the last.
#[derive(Debug)]
pub(crate) struct Frames<P> {
    stack: Vec<Frame<P>>,
    last_id: FrameId,
    spare: Option<Lists<P>>,
}

impl<P> Default for Frames<P> {
    fn default() -> Self {
        Self { stack: Vec::new(), last_id: FrameId::FLUSH, spare: None }
    }
}

impl<P> Frames<P> {
    pub(crate) fn push(&mut self, root: TaskId, callers: Option<ContextId>) {
        self.last_id = self.last_id.next();
        let lists = self.spare.take().unwrap_or_default();
        self.stack.push(Frame {
            id: self.last_id,
            root,
            running: None,
            dependencies: lists.dependencies,
            chosen: None,
            ready: lists.ready,
            flush_queue: lists.flush_queue,
            external_waits: 0,
            callers,
            abandoned: false,
        });
    }

    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// The tasks that were called, the outermost first.
    pub(crate) fn roots(&self) -> impl Iterator<Item = TaskId> {
        self.stack.iter().map(|frame| frame.root)
    }

    /// Returns whether a task runs, or is suspended in a call of its own.
    pub(crate) fn is_running(&self, task: TaskId) -> bool {
        self.stack.iter().any(|frame| frame.running == Some(task))
    }

    /// Returns whether a task runs in the innermost call.
    pub(crate) fn runs_task(&self) -> bool {
        self.top().is_some_and(|frame| frame.running.is_some())
    }

    /// The dependencies that a running task has named so far, and the task that it calls.
    pub(crate) fn awaited_by_running(&self, task: TaskId) -> (&[Dependency], Option<TaskId>) {
        let Some(place) = self.stack.iter().position(|frame| frame.running == Some(task)) else {
            return (&[], None);
        };
        let called = self.stack.get(place + 1).map(|frame| frame.root);
        (self.stack[place].dependencies.as_slice(), called)
    }

    pub(crate) fn top(&self) -> Option<&Frame<P>> {
        self.stack.last()
    }

    pub(crate) fn top_mut(&mut self) -> Option<&mut Frame<P>> {
        self.stack.last_mut()
    }

    /// Returns whether the innermost frame drives a node with this `needed_by`.
    pub(crate) fn is_innermost(&self, needed_by: FrameId) -> bool {
        self.owner(needed_by).is_some_and(|index| index + 1 == self.stack.len())
    }

    /// The frame that drives a node with this `needed_by`.
    pub(crate) fn owner_mut(&mut self, needed_by: FrameId) -> Option<&mut Frame<P>> {
        self.owner(needed_by).map(|index| &mut self.stack[index])
    }

    fn owner(&self, needed_by: FrameId) -> Option<usize> {
        let living = match self.stack.last() {
            Some(top) if top.id <= needed_by => self.stack.len(),
            _ => self.stack.partition_point(|frame| frame.id <= needed_by),
        };
        living.checked_sub(1)
    }

    /// Makes a task ready, first or last in the list of its owner. `last_stamp` is the latest of the
    /// engine.
    pub(crate) fn push_ready<H: Host>(
        &mut self,
        end: End,
        task: TaskId,
        node: &mut Task<H>,
        last_stamp: &mut Stamp,
    ) {
        let stamp = last_stamp.next();
        *last_stamp = stamp;
        node.stamp = stamp;
        node.state = State::Ready;
        if let Some(owner) = self.owner_mut(node.needed_by) {
            owner.ready.push(end, Waiter { task, stamp });
        }
    }

    /// Counts one external wait more for the owner of `needed_by`.
    pub(crate) fn add_external_wait(&mut self, needed_by: FrameId) {
        if let Some(frame) = self.owner_mut(needed_by) {
            frame.external_waits += 1;
        }
    }

    /// Counts one external wait less for the owner of `needed_by`.
    pub(crate) fn remove_external_wait(&mut self, needed_by: FrameId) {
        if let Some(frame) = self.owner_mut(needed_by) {
            let external_waits = frame.external_waits.checked_sub(1);
            frame.external_waits = external_waits.expect("the wait was counted when it began");
        }
    }

    /// Ends the innermost frame, and gives what it leaves behind to the one around it. Returns the
    /// context of its caller.
    pub(crate) fn pop(&mut self) -> Option<ContextId>
    where
        P: Priority,
    {
        let mut ended = self.stack.pop().expect("called by `exit`");
        if let Some(outer) = self.stack.last_mut() {
            outer.external_waits += ended.external_waits;
            outer.flush_queue.append(&mut ended.flush_queue);
            outer.ready.prepend(&mut ended.ready);
        }
        ended.ready.clear();
        ended.flush_queue.clear();
        ended.dependencies.reset();
        let Frame { dependencies, ready, flush_queue, callers, .. } = ended;
        self.spare = Some(Lists { dependencies, ready, flush_queue });
        callers
    }
}
