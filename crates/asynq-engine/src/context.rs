//! Contexts: the state of a task that is paused while others run.
//!
//! # Note: chains
//!
//! Contexts form a forest: the parent of a context is the one that was innermost where it was
//! entered. A task's *scope* is a node of it, and the task's chain is the path from there to the
//! root: its own contexts, then those of the task that first awaited it, and so on. A walk from the
//! new scope up to the first active context then finds the contexts that differ between two tasks,
//! however long the chain of tasks is.
//!
//! The active contexts form a stack, and this stack is always one chain. A synchronous call begins
//! under the contexts of its caller and ends under them. In between it makes active whatever the
//! chain of the task is that it drives, and pauses the contexts of the caller if that task is not
//! under them: it may belong to somebody else.
//!
//! Each context knows its depth and one ancestor further up, at a distance that depends only on its
//! depth. With both, finding what two chains have in common takes the logarithm of their length.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::{iter, mem};

use slotmap::SlotMap;

use crate::host::Host;
use crate::id::{ContextId, TaskId};
use crate::step::Step;

/// The innermost context of some code; `None` outside of contexts.
pub(crate) type Scope = Option<ContextId>;

struct Context<C> {
    payload: C,
    owner: TaskId,
    parent: Option<ContextId>,
    /// Number of scopes and inner contexts that lead here, plus one while it is not left, plus one
    /// while it is active.
    references: usize,
    /// Left, but still on the chain of some task.
    left: bool,
    /// Its place in the stack of active contexts.
    active: Option<usize>,
    /// Number of contexts on the way to the root of the forest, this one included.
    depth: u32,
    /// An ancestor further up; see `Note: chains`.
    jump: Option<ContextId>,
    /// The flushes that it is common to are under this one instead, if it, or one around it, is kept
    /// out of flushes.
    flushes_under: Option<Scope>,
}

pub(crate) struct Contexts<H: Host> {
    nodes: SlotMap<ContextId, Context<H::Context>>,
    active: Vec<ContextId>,
    /// The rest of a switch: the contexts to resume for `target`, the outermost last.
    pending: Vec<ContextId>,
    target: Option<ContextId>,
    /// The context that the front end is pausing, kept until the next switch.
    pausing: Option<ContextId>,
    /// The limits of tasks; see [`crate::flush_scope`].
    limits: BTreeMap<TaskId, Scope>,
    /// Tasks that flush a batch out of turn, with their scopes outside of the flush, the innermost
    /// last.
    flushing: Vec<(TaskId, Scope)>,
}

impl<H: Host> Contexts<H> {
    pub(crate) fn new() -> Self {
        Self {
            nodes: SlotMap::with_key(),
            active: Vec::new(),
            pending: Vec::new(),
            target: None,
            pausing: None,
            limits: BTreeMap::new(),
            flushing: Vec::new(),
        }
    }

    /// Drops all contexts. Their ids find nothing from now on.
    pub(crate) fn clear(&mut self) {
        // Cleared, not replaced: a new map would give the same ids again.
        let mut nodes = mem::take(&mut self.nodes);
        nodes.clear();
        *self = Self { nodes, ..Self::new() };
    }

    pub(crate) fn payload(&self, id: ContextId) -> Option<&H::Context> {
        self.nodes.get(id).map(|context| &context.payload)
    }

    /// The task that entered a context which is not left.
    pub(crate) fn owner(&self, id: ContextId) -> Option<TaskId> {
        self.nodes.get(id).filter(|context| !context.left).map(|context| context.owner)
    }

    /// Returns whether there are no contexts at all, the common case.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The innermost active context.
    #[inline]
    pub(crate) fn innermost(&self) -> Option<ContextId> {
        self.active.last().copied()
    }

    /// The innermost active context from `id` outwards.
    pub(crate) fn active_around(&self, id: ContextId) -> Scope {
        let mut next = Some(id);
        while let Some(id) = next {
            let context = &self.nodes[id];
            if context.active.is_some() {
                return Some(id);
            }
            next = context.parent;
        }
        None
    }

    /// The active contexts, the outermost first.
    pub(crate) fn active(&self) -> &[ContextId] {
        &self.active
    }

    /// Enters a context inside `parent` (whose reference passes to it) and makes it active.
    pub(crate) fn enter(
        &mut self,
        payload: H::Context,
        owner: TaskId,
        parent: Option<ContextId>,
    ) -> ContextId {
        let active = Some(self.active.len());
        let (near, far) = (self.jump(parent), self.jump(self.jump(parent)));
        let is_even = self.depth(parent) - self.depth(near) == self.depth(near) - self.depth(far);
        // One reference each for: the scope of the owner, not being left, being active.
        let id = self.nodes.insert(Context {
            payload,
            owner,
            parent,
            references: 3,
            left: false,
            active,
            depth: self.depth(parent) + 1,
            jump: if is_even { far } else { parent },
            flushes_under: parent.and_then(|parent| self.nodes[parent].flushes_under),
        });
        self.active.push(id);
        id
    }

    /// Enters a context for code of no task, inside what is active. Nothing leads to it but tasks.
    pub(crate) fn enter_code(&mut self, payload: H::Context) -> ContextId {
        let parent = self.innermost();
        self.retain(parent);
        let id = self.enter(payload, TaskId::default(), parent);
        self.release(id);
        id
    }

    /// Leaves a context: it is neither paused nor resumed any more. Returns whether it was active.
    pub(crate) fn leave(&mut self, id: ContextId) -> bool {
        let Some(context) = self.nodes.get_mut(id) else { return false };
        let was_left = mem::replace(&mut context.left, true);
        let place = context.active.take();
        if let Some(place) = place {
            self.active.remove(place);
            for (index, &above) in self.active.iter().enumerate().skip(place) {
                self.nodes[above].active = Some(index);
            }
            self.release(id);
        }
        if !was_left {
            self.release(id);
        }
        place.is_some()
    }

    /// Keeps a context out of flushes, and so the contexts that are entered inside it from now on.
    pub(crate) fn keep_out_of_flushes(&mut self, id: ContextId) {
        let Some(parent) = self.nodes.get(id).map(|context| context.parent) else { return };
        self.nodes[id].flushes_under = Some(self.flushes_under(parent));
    }

    /// The innermost context, from `scope` outwards, that a flush may be under.
    pub(crate) fn flushes_under(&self, scope: Scope) -> Scope {
        self.nodes[scope?].flushes_under.unwrap_or(scope)
    }

    /// The limit of a task that has one.
    pub(crate) fn limit(&self, task: TaskId) -> Option<Scope> {
        self.limits.get(&task).copied()
    }

    pub(crate) fn set_limit(&mut self, task: TaskId, limit: Scope) {
        self.retain(limit);
        if let Some(Some(before)) = self.limits.insert(task, limit) {
            self.release(before);
        }
    }

    #[inline]
    pub(crate) fn remove_limit(&mut self, task: TaskId) {
        if !self.limits.is_empty()
            && let Some(Some(limit)) = self.limits.remove(&task)
        {
            self.release(limit);
        }
    }

    /// The context around `id`.
    pub(crate) fn parent(&self, id: ContextId) -> Option<ContextId> {
        self.nodes[id].parent
    }

    /// The contexts that `owner` has entered, from `scope` outwards.
    pub(crate) fn entered_by(
        &self,
        owner: TaskId,
        scope: Option<ContextId>,
    ) -> impl Iterator<Item = ContextId> {
        iter::successors(scope, |&id| self.nodes[id].parent)
            .take_while(move |&id| self.nodes[id].owner == owner)
    }

    /// The context that `owner`, whose scope is `scope`, was in when it began.
    pub(crate) fn inherited(&self, owner: TaskId, scope: Scope) -> Scope {
        let mut flushing = self.flushing.iter();
        let scope = flushing.find(|(task, _)| *task == owner).map_or(scope, |&(_, scope)| scope);
        match self.entered_by(owner, scope).last() {
            Some(outermost) => self.nodes[outermost].parent,
            None => scope,
        }
    }

    /// Notes that a task begins to flush a batch out of turn, and leaves `scope` meanwhile.
    pub(crate) fn begin_flushing(&mut self, task: TaskId, scope: Scope) {
        self.flushing.push((task, scope));
    }

    /// Returns whether a task flushes a batch out of turn.
    pub(crate) fn is_flushed_out_of_turn(&self) -> bool {
        !self.flushing.is_empty()
    }

    /// Returns the scope to which a task goes back that has flushed a batch out of turn.
    pub(crate) fn end_flushing(&mut self, task: TaskId) -> Scope {
        let place = self.flushing.iter().rposition(|&(flushing, _)| flushing == task)?;
        self.flushing.remove(place).1
    }

    /// Keeps the task that entered a context from going back to it after a flush out of turn.
    pub(crate) fn leave_while_flushing(&mut self, id: ContextId) {
        let Some(Context { owner, parent, .. }) = self.nodes.get(id) else { return };
        for (task, scope) in &mut self.flushing {
            if task == owner && *scope == Some(id) {
                *scope = *parent;
            }
        }
    }

    /// Leaves every context that `owner` has entered, from `scope` outwards. Those that are active
    /// stay so until the front end leaves them itself, or else the switch that comes to them.
    pub(crate) fn leave_all(&mut self, owner: TaskId, scope: Option<ContextId>) {
        self.leave_entered(owner, scope);
        // While it flushes a batch out of turn, it is elsewhere.
        let places = self.flushing.iter().filter(|(task, _)| *task == owner);
        let places: Vec<_> = places.map(|&(_, scope)| scope).collect();
        for scope in places {
            self.leave_entered(owner, scope);
        }
    }

    fn leave_entered(&mut self, owner: TaskId, scope: Option<ContextId>) {
        let entered: Vec<_> = self.entered_by(owner, scope).collect();
        for id in entered {
            let context = &mut self.nodes[id];
            if !context.left {
                context.left = true;
                self.release(id);
            }
        }
    }

    /// Returns the innermost context that is on both chains.
    pub(crate) fn common(
        &self,
        one: Option<ContextId>,
        other: Option<ContextId>,
    ) -> Option<ContextId> {
        if one == other {
            return one;
        }
        let is_deeper = self.depth(one) > self.depth(other);
        let (mut deep, mut flat) = if is_deeper { (one, other) } else { (other, one) };
        let depth = self.depth(flat);
        while self.depth(deep) > depth {
            let jump = self.jump(deep);
            deep = if self.depth(jump) >= depth { jump } else { self.parent_of(deep) };
        }
        // Contexts of the same depth jump equally far.
        while deep != flat {
            let (jump, other) = (self.jump(deep), self.jump(flat));
            let differ = jump != other;
            deep = if differ { jump } else { self.parent_of(deep) };
            flat = if differ { other } else { self.parent_of(flat) };
        }
        deep
    }

    fn depth(&self, id: Option<ContextId>) -> u32 {
        id.map_or(0, |id| self.nodes[id].depth)
    }

    fn jump(&self, id: Option<ContextId>) -> Option<ContextId> {
        self.nodes[id?].jump
    }

    fn parent_of(&self, id: Option<ContextId>) -> Option<ContextId> {
        self.nodes[id?].parent
    }

    /// Makes `scope` lead to another context.
    pub(crate) fn replace(&mut self, scope: &mut Option<ContextId>, other: Option<ContextId>) {
        if *scope != other {
            self.retain(other);
            if let Some(before) = mem::replace(scope, other) {
                self.release(before);
            }
        }
    }

    /// Counts a scope more that leads to `scope`.
    pub(crate) fn retain(&mut self, scope: Option<ContextId>) {
        if let Some(id) = scope {
            self.nodes[id].references += 1;
        }
    }

    /// Counts a scope fewer that leads to `id`; frees it, and its ancestors, when it was the last.
    pub(crate) fn release(&mut self, id: ContextId) {
        let mut cursor = Some(id);
        while let Some(id) = cursor.take() {
            let context = &mut self.nodes[id];
            context.references -= 1;
            if context.references == 0 {
                cursor = context.parent;
                self.nodes.remove(id);
            }
        }
    }

    /// Returns whether `target` has no contexts, none is active, and nothing is left of the switch
    /// before.
    #[inline]
    pub(crate) fn is_switched(&self, target: Option<ContextId>) -> bool {
        target.is_none()
            && self.active.is_empty()
            && self.pausing.is_none()
            && self.pending.is_empty()
    }

    /// Returns the next pause or resume on the way to `target`.
    pub(crate) fn switch(&mut self, target: Option<ContextId>) -> Option<Step> {
        if let Some(id) = self.pausing.take() {
            self.release(id);
        }
        if self.target == target
            && let Some(step) = self.resume_pending()
        {
            return Some(step);
        }
        self.pending.clear();
        self.target = target;
        let mut keep = 0;
        let mut cursor = target;
        while let Some(id) = cursor {
            let Some(context) = self.nodes.get(id) else { break };
            if !context.left {
                if let Some(place) = context.active {
                    keep = place + 1;
                    break;
                }
                self.pending.push(id);
            }
            cursor = context.parent;
        }
        if self.active.len() > keep {
            self.pending.clear();
            return Some(self.pause_innermost());
        }
        self.resume_pending()
    }

    fn pause_innermost(&mut self) -> Step {
        let id = self.active.pop().expect("more than are kept");
        self.nodes[id].active = None;
        self.pausing = Some(id);
        Step::Pause(id)
    }

    /// Resumes the next context of the rest of the switch that has not been left since. Its
    /// ancestors are active, whatever else has happened: only this switch could have paused them.
    fn resume_pending(&mut self) -> Option<Step> {
        while let Some(id) = self.pending.pop() {
            let place = self.active.len();
            if let Some(context) = self.nodes.get_mut(id)
                && !context.left
            {
                context.active = Some(place);
                context.references += 1;
                self.active.push(id);
                return Some(Step::Resume(id));
            }
        }
        None
    }
}
