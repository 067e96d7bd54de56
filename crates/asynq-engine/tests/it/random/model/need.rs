//! Needs: the ready tasks, and the calls that drive them.

use super::{Call, Model, Need, On, Stage, State};
use crate::sim::Join;

impl Model<'_> {
    /// The row in which `task` stands when it is ready: that of the innermost call that needs it.
    fn row(&mut self, task: usize) -> &mut Vec<usize> {
        self.calls
            .iter_mut()
            .rfind(|call| call.needs.contains(&Need::Task(task)))
            .map_or(&mut self.idle, |call| &mut call.ready)
    }

    fn remove_from_rows(&mut self, task: usize) {
        self.idle.retain(|&ready| ready != task);
        for call in &mut self.calls {
            call.ready.retain(|&ready| ready != task);
        }
    }

    /// Has the innermost call drive `need`, and whatever that waits for.
    pub(super) fn claim(&mut self, need: Need) {
        self.claim_for(self.calls.len() - 1, need);
    }

    fn claim_for(&mut self, caller: usize, need: Need) {
        let is_news = !self.calls[caller].needs.contains(&need);
        match need {
            Need::Task(task) => match &self.tasks[task].state {
                State::New { .. } | State::Ready => {
                    self.remove_from_rows(task);
                    self.tasks[task].state = State::Ready;
                    self.calls[caller].ready.insert(0, task);
                }
                State::Blocked { on, .. } if is_news => {
                    let on = on.clone();
                    self.calls[caller].needs.push(need);
                    self.claim_all(caller, &on);
                }
                State::Blocked { .. } | State::Woken { .. } => {}
                // Not to be driven from here.
                State::Running { .. } | State::Promised | State::Ended(_) => return,
            },
            Need::Batch(batch) => {
                if let Stage::InFlight(Some(flush_task)) = self.batches[batch].state
                    && is_news
                {
                    self.claim_for(caller, Need::Task(flush_task));
                }
            }
        }
        self.calls[caller].needs.push(need);
    }

    /// Claims the last one first, so that the first one stands at the front of the row in the end.
    /// A computed one is not needed.
    fn claim_all(&mut self, caller: usize, on: &[On]) {
        for &on in on.iter().rev() {
            match on {
                _ if self.outcome(on).is_some() => {}
                On::Task(task) => self.claim_for(caller, Need::Task(task)),
                On::Item(batch, _) => self.claim_for(caller, Need::Batch(batch)),
            }
        }
    }

    /// The values of `batch` come with the end of `flush_task`: whoever drives the one drives the
    /// other. If nobody does, that starts when an item is awaited.
    pub(super) fn carry(&mut self, batch: usize, flush_task: usize) {
        self.tasks[flush_task].carries = Some(batch);
        self.tasks[flush_task].scope = self.batches[batch].flush_scope;
        self.tasks[flush_task].inherited = self.batches[batch].flush_scope;
        self.batches[batch].state = Stage::InFlight(Some(flush_task));
        let drives = |call: &Call| call.needs.contains(&Need::Batch(batch));
        if let Some(caller) = self.calls.iter().rposition(drives) {
            self.claim_for(caller, Need::Task(flush_task));
        }
    }

    /// Makes the running task wait.
    pub(super) fn block(&mut self, task: usize, join: Join) {
        let State::Running { woken } = self.tasks[task].state else { unreachable!("it runs") };
        self.waits += 1;
        let wait_id = self.waits;
        let on = std::mem::take(&mut self.tasks[task].depends_on);
        self.tasks[task].state = State::Blocked { on: on.clone(), join, wait_id };
        let caller = self.calls.len() - 1;
        self.calls[caller].needs.push(Need::Task(task));
        self.claim_all(caller, &on);
        self.look_who_can_go_on();
        if woken {
            self.interrupt(task);
        }
    }

    /// Something was computed: notes everybody whose wait is over.
    pub(super) fn look_who_can_go_on(&mut self) {
        for task in 0..self.tasks.len() {
            if let State::Blocked { on, join, wait_id } = &self.tasks[task].state {
                let is_there = |&on: &On| self.outcome(on).is_some();
                let is_over = match join {
                    Join::All => on.iter().all(is_there),
                    Join::Any | Join::AnyOrWake(_) => on.iter().any(is_there),
                };
                if is_over {
                    self.tasks[task].state = State::Woken { wait_id: *wait_id };
                }
            }
        }
    }

    /// Lines up those whose wait is over.
    pub(super) fn line_up(&mut self) {
        let mut woken: Vec<(usize, usize)> = Vec::new();
        for (task, state) in self.tasks.iter().map(|task| &task.state).enumerate() {
            if let State::Woken { wait_id } = state {
                woken.push((*wait_id, task));
            }
        }
        woken.sort_unstable();
        for (_, task) in woken.into_iter().rev() {
            self.tasks[task].state = State::Ready;
            self.row(task).insert(0, task);
        }
    }

    /// Has a blocked task go on although what it waits for is not there.
    pub(super) fn interrupt(&mut self, task: usize) {
        if let State::Blocked { .. } = self.tasks[task].state {
            self.tasks[task].state = State::Ready;
            self.row(task).push(task);
        }
    }

    /// Nobody runs or wakes `task` any more.
    pub(super) fn forget(&mut self, task: usize) {
        self.remove_from_rows(task);
        self.outside.retain(|&(_, event)| event != super::Outside::Wakes(task));
    }

    /// Returns whether the innermost call needs something that only time will bring.
    pub(super) fn can_wait(&self) -> bool {
        let call = self.calls.last().expect("somebody calls");
        call.needs.iter().any(|need| match *need {
            Need::Task(task) => {
                matches!(self.tasks[task].state, State::Blocked { join: Join::AnyOrWake(_), .. })
            }
            Need::Batch(batch) => self.batches[batch].state == Stage::InFlight(None),
        })
    }
}
