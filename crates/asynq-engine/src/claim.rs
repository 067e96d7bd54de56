//! Claims: a frame drives what it needs; see [`crate::frame`].

use alloc::vec::Vec;

use crate::batch::BatchState;
use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::host::Host;
use crate::id::{BatchId, FrameId, TaskId};
use crate::ready::End;
use crate::task::{State, Until};
use crate::waiter::Waiter;

impl<H: Host> Engine<H> {
    /// Puts a task that nobody claimed before under the scope of the code that runs now, which waits
    /// for the task. Returns whether the task has not ended.
    #[inline(always)]
    pub(crate) fn inherit_scope(&mut self, task: TaskId) -> bool {
        let Some(node) = self.tasks.get_mut(task) else { return false };
        let is_unclaimed = node.is_unclaimed();
        if is_unclaimed && let Some(frame) = self.frames.top() {
            node.needed_by = frame.id;
        }
        if !self.contexts.is_empty() {
            self.await_under_code_scope(task, is_unclaimed);
        }
        true
    }

    /// Makes `frame` drive `wanted` and all that it waits for.
    pub(crate) fn claim(&mut self, wanted: Dependency, frame: FrameId) {
        let mut rest = Vec::new();
        self.claim_one(wanted, frame, &mut rest);
        if !rest.is_empty() {
            self.claim_rest(rest, frame);
        }
    }

    #[cold]
    fn claim_rest(&mut self, mut rest: Vec<Dependency>, frame: FrameId) {
        // The last first, as everywhere: each one that can start goes to the front.
        while let Some(dependency) = rest.pop() {
            // A blocked task does not need what is computed already.
            if !self.is_computed(dependency) {
                self.claim_one(dependency, frame, &mut rest);
            }
        }
    }

    /// Makes `frame` drive `wanted`. Adds what it waits for to `rest`.
    #[inline]
    fn claim_one(&mut self, wanted: Dependency, frame: FrameId, rest: &mut Vec<Dependency>) {
        match wanted {
            Dependency::Task(task) => self.claim_task(task, frame, rest),
            Dependency::Item(item) => self.claim_batch(item.batch, frame, rest),
        }
    }

    fn claim_task(&mut self, task: TaskId, frame: FrameId, rest: &mut Vec<Dependency>) {
        let Some(node) = self.tasks.get_mut(task) else {
            return;
        };
        let before = node.needed_by;
        match node.state {
            State::New => {
                node.needed_by = frame;
                self.frames.push_ready(End::Front, task, node, &mut self.last_stamp);
            }
            State::Ready => {
                // An inner frame keeps what an outer one needs as well: it runs first.
                node.needed_by = before.max(frame);
                if !self.woken.contains(node.count, Waiter { task, stamp: node.stamp }) {
                    self.frames.push_ready(End::Front, task, node, &mut self.last_stamp);
                } else if before < frame {
                    self.woken.mix();
                }
            }
            State::Blocked(until) if before < frame => {
                node.needed_by = frame;
                rest.extend(node.dependencies.as_slice());
                if until == Until::AnyOrWake {
                    self.frames.remove_external_wait(before);
                    self.frames.add_external_wait(frame);
                }
            }
            State::Blocked(_) | State::Running { .. } | State::Promise => {}
        }
    }

    fn claim_batch(&mut self, id: BatchId, frame: FrameId, rest: &mut Vec<Dependency>) {
        let Some(batch) = self.batches.get_mut(id) else {
            return;
        };
        let before = batch.needed_by;
        if before >= frame {
            return;
        }
        batch.needed_by = frame;
        match batch.state {
            BatchState::Open(_) => {
                if before > FrameId::NONE
                    && let Some(owner) = self.frames.owner_mut(before)
                {
                    owner.flush_queue.remove(&mut self.batches, id);
                }
                if let Some(owner) = self.frames.owner_mut(frame) {
                    owner.flush_queue.insert(&mut self.batches, id);
                }
            }
            BatchState::Flushing(_) => {}
            BatchState::InFlight(Some(flush_task)) => rest.push(flush_task.into()),
            BatchState::InFlight(None) => {
                self.frames.remove_external_wait(before);
                self.frames.add_external_wait(frame);
            }
        }
    }
}
