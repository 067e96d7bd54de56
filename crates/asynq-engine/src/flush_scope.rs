//! The contexts of a flush: those common to everybody who waits for it.
//!
//! # Note: the scope of a flush
//!
//! Somebody waits for a batch who has asked for an item of it, or awaits one, or awaits a task that
//! does. A context is *common* to the batch if all of them wait under it, by each way that leads from
//! them to the batch. The flush is under the longest chain of common contexts: its innermost one is
//! the *scope* of the batch. A context that was left is common as before, because contexts inside it may
//! be. So code in a flush asks and waits under the scope of that, rather than under what is active.
//!
//! A task waits under its own chain. That begins with the contexts of the task that first awaited
//! it; those who await it later may be under others. So such a task has a *limit*: the innermost
//! context that is common to its inherited contexts and to all who wait for it. Whatever the task
//! asks for is asked for under its limit. A task without a limit, which is nearly every task, asks
//! under its scope, with the contexts that it has entered itself.
//!
//! Somebody who begins to wait when a flush has begun is too late for its scope, and counts for the limit
//! of the task that goes on with the flush.
//!
//! Both are narrowed when somebody begins to wait, so a flush need not look at its items. When the
//! limit of a task narrows, so does that of what the task waits for, and so on. A limit only moves
//! outwards, so this costs at most the number of edges times the depth of contexts, and nothing
//! while tasks that are shared are shared by tasks under the same contexts. Who has ceased to wait
//! still counts, because the values may be for them.
//!
//! Code of no task that asks for an item outside of contexts may be the caller of everything that
//! runs: then it waits through its call, and hands the item to somebody in it. But if the outermost
//! call is that of a promise, it drives tasks for any number of callers. Then such code counts as soon
//! as it has asked, so nothing is common. The same holds if the front end does not know who has asked:
//! then nothing is common while nobody waits for an item.

use alloc::vec::Vec;

use crate::batch::{Askers, BatchState};
use crate::context::Scope;
use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::host::Host;
use crate::id::{BatchId, FrameId, ItemId, TaskId};
use crate::task::State;

impl<H: Host> Engine<H> {
    /// The innermost context of the code that runs now: that of the running task, or of the flush that
    /// was chosen, or else the one that is active while other code of no task runs.
    pub(crate) fn code_scope(&self) -> Scope {
        if let Some(task) = self.running().and_then(|task| self.tasks.get(task)) {
            return task.scope;
        }
        let active = self.contexts.innermost();
        // Otherwise the code of the flush has entered a context.
        let flush =
            self.chosen_scope().filter(|&scope| self.contexts.active_around(scope) == active);
        flush.or(active)
    }

    /// The scope of the flush that was chosen in the innermost call, until it is answered for.
    fn chosen_scope(&self) -> Scope {
        let batch = self.batches.get(self.frames.top()?.chosen?)?;
        if matches!(batch.state, BatchState::InFlight(_)) { None } else { batch.scope }
    }

    /// The innermost context under which the code that runs now asks and waits.
    fn waiting_scope(&self) -> Scope {
        let scope = self.code_scope();
        match self.running().and_then(|task| self.contexts.limit(task)) {
            Some(limit) => self.contexts.common(limit, scope),
            None => scope,
        }
    }

    /// Counts the code that runs now among those who wait for a task, which inherits the scope of the
    /// first.
    #[cold]
    pub(crate) fn await_under_code_scope(&mut self, task: TaskId, is_first: bool) {
        let waiting = self.waiting_scope();
        if is_first {
            let scope = self.code_scope();
            self.contexts.replace(&mut self.tasks[task].scope, scope);
        }
        self.narrow(task.into(), waiting);
    }

    /// Counts the code that runs now among those who wait for the batch of an item. Returns whether
    /// the item is pending.
    #[inline(always)]
    pub(crate) fn await_item(&mut self, item: ItemId) -> bool {
        let Some(batch) = self.batches.get(item.batch) else { return false };
        if batch.items.is_computed(item.index) {
            return false;
        }
        if batch.can_narrow() {
            self.narrow_to_code(item.batch);
        }
        true
    }

    /// Narrows the scope of a batch to the code that runs now, which asks for an item.
    #[cold]
    pub(crate) fn narrow_to_asking_code(&mut self, batch: BatchId) {
        if self.code_scope().is_none() && !self.frames.runs_task() {
            self.batches[batch].askers = Askers::Outside;
        } else {
            self.narrow_to_code(batch);
        }
    }

    /// Narrows the scope of a batch to the code that runs now, which waits for an item.
    #[cold]
    pub(crate) fn narrow_to_code(&mut self, batch: BatchId) {
        let scope = self.waiting_scope();
        if let Some(flush_task) = self.narrow_batch(batch, scope) {
            self.narrow(flush_task.into(), scope);
        }
    }

    /// The contexts to which a flush out of turn narrows the scope of a batch: the code that runs now
    /// waits for the flush.
    #[cold]
    pub(crate) fn scope_out_of_turn(&self, batch: BatchId) -> Scope {
        let scope = self.waiting_scope();
        if self.is_asked_by_others(batch) {
            None
        } else if self.batches[batch].is_limited_to_call {
            scope
        } else {
            self.contexts.flushes_under(scope)
        }
    }

    /// Returns whether code may have asked for an item that is not the caller, and does not wait.
    fn is_asked_by_others(&self, batch: BatchId) -> bool {
        let batch = &self.batches[batch];
        match batch.askers {
            Askers::Counted => false,
            Askers::Outside => {
                let root = self.frames.roots().next().and_then(|root| self.tasks.get(root));
                root.is_some_and(|root| matches!(root.state, State::Promise))
            }
            Askers::Unknown => batch.items.has_unawaited(),
        }
    }

    /// Puts a task that goes on with a flush under the scope of that. `limit` is common to everybody
    /// who has waited until now.
    pub(crate) fn inherit_flush_scope(&mut self, flush_task: TaskId, batch: BatchId, limit: Scope) {
        let scope = self.batches[batch].scope;
        if let Some(node) = self.tasks.get_mut(flush_task)
            && node.is_unclaimed()
        {
            node.needed_by = FrameId::FLUSH;
            self.contexts.replace(&mut node.scope, scope);
        }
        self.narrow(flush_task.into(), limit);
    }

    /// The scope of the flush of an open batch, by a call that was made under `callers`.
    #[cold]
    pub(crate) fn scope_of_next_flush(&self, batch: BatchId, callers: Scope) -> Scope {
        let scope = Some(self.batches[batch].scope?);
        if self.is_asked_by_others(batch) {
            None
        } else if self.batches[batch].is_limited_to_call {
            self.contexts.common(scope, callers)
        } else {
            self.contexts.flushes_under(scope)
        }
    }

    /// Narrows `wanted`, for which somebody under `scope` waits, and all that it waits for.
    fn narrow(&mut self, wanted: Dependency, scope: Scope) {
        let mut rest = Vec::new();
        let mut next = Some((wanted, scope));
        while let Some((wanted, scope)) = next {
            match wanted {
                Dependency::Task(task) => {
                    if let Some(limit) = self.narrow_limit(task, scope) {
                        self.add_awaited(task, limit, &mut rest);
                    }
                }
                Dependency::Item(item) => {
                    let flush_task = self.narrow_batch(item.batch, scope);
                    rest.extend(flush_task.map(|task| (task.into(), scope)));
                }
            }
            next = rest.pop();
        }
    }

    /// Narrows the limit of a task. Returns the new one, if it has changed.
    fn narrow_limit(&mut self, task: TaskId, scope: Scope) -> Option<Scope> {
        let own = self.tasks.get(task)?.scope;
        let before = match self.contexts.limit(task) {
            Some(limit) => limit,
            // While it flushes a batch out of turn, its scope is not where it was awaited.
            None if own == scope && !self.contexts.is_flushed_out_of_turn() => return None,
            None => self.contexts.inherited(task, own),
        };
        let limit = self.contexts.common(before, scope);
        if limit == before {
            return None;
        }
        self.contexts.set_limit(task, limit);
        Some(limit)
    }

    /// Adds the things that a task waits for, or has named since it runs, to `awaited`.
    fn add_awaited(&self, task: TaskId, limit: Scope, awaited: &mut Vec<(Dependency, Scope)>) {
        let node = &self.tasks[task];
        let (named, called) = match node.state {
            State::Blocked(_) => (node.dependencies.as_slice(), None),
            State::Running { .. } => self.frames.awaited_by_running(task),
            _ => return,
        };
        let named = named.iter().copied().filter(|&one| !self.is_computed(one));
        let all = named.chain(called.map(Dependency::from));
        awaited.extend(all.map(|dependency| (dependency, limit)));
    }

    /// Narrows the scope of a batch that is open. Of one that is being flushed, it narrows the limit of
    /// the task that may go on with the flush; of one in flight, it returns that task.
    fn narrow_batch(&mut self, id: BatchId, scope: Scope) -> Option<TaskId> {
        match &mut self.batches.get_mut(id)?.state {
            BatchState::Open(_) => self.narrow_open(id, scope),
            BatchState::Flushing(limit) => *limit = self.contexts.common(*limit, scope),
            BatchState::InFlight(flush_task) => return *flush_task,
        }
        None
    }

    /// Narrows the scope of an open batch.
    pub(crate) fn narrow_open(&mut self, id: BatchId, scope: Scope) {
        let batch = &mut self.batches[id];
        let common = if batch.has_scope { self.contexts.common(batch.scope, scope) } else { scope };
        batch.has_scope = true;
        self.contexts.replace(&mut batch.scope, common);
    }
}
