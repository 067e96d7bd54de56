//! Claims: what a frame needs is its to drive; see [`crate::frame`].

use alloc::vec::Vec;
use core::iter;

use crate::batch::{BatchId, BatchState};
use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::frame::Serial;
use crate::host::Host;
use crate::task::{State, TaskId, Until};

impl<H: Host> Engine<H> {
    /// A task that is asked for the first time will run under the scope of the one that asks.
    /// Returns whether there is such a task.
    pub(crate) fn adopt(&mut self, task: TaskId) -> bool {
        match self.tasks.get(task) {
            Some(node) if node.is_unasked() => {}
            found => return found.is_some(),
        }
        let Some(frame) = self.frames.top() else { return true };
        let (running, serial) = (frame.running, frame.serial);
        let scope = running.and_then(|running| self.tasks.get(running)).and_then(|task| task.scope);
        let node = &mut self.tasks[task];
        node.needed_by = serial;
        node.scope = scope;
        self.contexts.retain(scope);
        true
    }

    /// Makes the frame `serial` drive `wanted` and all that it waits for; see [`crate::frame`].
    pub(crate) fn claim(&mut self, wanted: Dependency, serial: Serial) {
        let mut rest = Vec::new();
        let mut next = Some(wanted);
        while let Some(on) = next {
            match on {
                Dependency::Task(task) => self.claim_task(task, serial, &mut rest),
                Dependency::Item(item) => self.claim_batch(item.batch, serial, &mut rest),
            }
            // The last first, as everywhere: each one that can start goes to the front. What a
            // blocked task has got already is not needed any more.
            next = iter::from_fn(|| rest.pop()).find(|&on| !self.is_computed(on));
        }
    }

    fn claim_task(&mut self, task: TaskId, serial: Serial, rest: &mut Vec<Dependency>) {
        let Some(node) = self.tasks.get_mut(task) else {
            return;
        };
        let before = node.needed_by;
        match node.state {
            State::New | State::Ready(_) => {
                // An inner frame keeps what an outer one needs as well: it runs first.
                let is_new = matches!(node.state, State::New);
                node.needed_by = if is_new { serial } else { before.max(serial) };
                let list = self.frames.ready_mut(node.needed_by);
                list.push_front(task, node, &mut self.tickets);
            }
            State::Woken { .. } => node.needed_by = before.max(serial),
            State::Blocked(wait) if before < serial => {
                node.needed_by = serial;
                rest.extend(node.on.as_slice());
                if wait.until == Until::AnyOrWake {
                    self.add_outside(before, -1);
                    self.add_outside(serial, 1);
                }
            }
            State::Blocked(_) | State::Running { .. } | State::Promise => {}
        }
    }

    /// One more thing (or fewer) that can set the owner of `needed_by` going from outside.
    pub(crate) fn add_outside(&mut self, needed_by: Serial, difference: isize) {
        if let Some(frame) = self.frames.owner_mut(needed_by) {
            let outside = frame.outside.checked_add_signed(difference);
            frame.outside = outside.expect("what is taken away was added before");
        }
    }

    fn claim_batch(&mut self, id: BatchId, serial: Serial, rest: &mut Vec<Dependency>) {
        let Some(batch) = self.batches.get_mut(id) else {
            return;
        };
        let before = batch.needed_by;
        if before >= serial {
            return;
        }
        batch.needed_by = serial;
        match batch.state {
            BatchState::Open(_) => {
                if let Some(owner) = self.frames.owner_mut(before) {
                    owner.agenda.remove(&mut self.batches, id);
                }
                if let Some(owner) = self.frames.owner_mut(serial) {
                    owner.agenda.insert(&mut self.batches, id);
                }
            }
            BatchState::Flushing => {}
            BatchState::InFlight(Some(carrier)) => rest.push(carrier.into()),
            BatchState::InFlight(None) => {
                self.add_outside(before, -1);
                self.add_outside(serial, 1);
            }
        }
    }
}
