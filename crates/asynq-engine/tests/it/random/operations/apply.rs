//! Applying an operation to the engine and to its shadow.

use std::collections::BTreeSet;

use asynq_engine::{Dependency, PriorityRule, Until};

use super::need::Need;
use super::operation::Operation;
use super::world::{Batch, Call, Context, Item, Stage, State, Task, World};

/// Calls nest no deeper: what matters about depth shows at three.
const DEPTH: usize = 4;

impl World {
    pub(super) fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::AddTask => self.add_task(State::New),
            Operation::AddPromise => self.add_task(State::Promise),
            Operation::AddBatch(rule) => self.add_batch(rule),
            Operation::AddItem(n) => self.with(n, self.batches.len(), Self::add_item),
            Operation::Enter(n) => self.with(n, self.tasks.len(), Self::enter),
            Operation::Abandon => self.abandon(),
            Operation::NeedTask(n) => self.with(n, self.tasks.len(), Self::need_task),
            Operation::NeedItem(n) => self.with(n, self.items.len(), |world, item| {
                if world.can_drive() {
                    world.engine.need(world.items[item].id);
                    world.need(world.items[item].id.into());
                }
            }),
            Operation::Drive(n) => self.drive(n),
            Operation::DependOnTask(n) => self.with(n, self.tasks.len(), Self::depend_on_task),
            Operation::DependOnItem(n) => self.with(n, self.items.len(), |world, item| {
                world.depend(world.items[item].id.into());
            }),
            Operation::Block(until) => self.block(until),
            Operation::EnterContext => self.enter_context(),
            Operation::LeaveContext(n) => self.with(n, self.contexts.len(), Self::leave_context),
            Operation::FailContext => self.fail_context(),
            Operation::SetScope(n) => self.with(n, self.contexts.len() + 1, Self::set_scope),
            Operation::BeginFlush(n) => self.with(n, self.batches.len(), |world, batch| {
                let is_open = world.batches[batch].stage == Stage::Open;
                assert_eq!(world.engine.begin_flush(world.batches[batch].id), is_open);
                if is_open {
                    world.batches[batch].stage = Stage::Flushing;
                }
            }),
            Operation::CompleteItem(n) => self.with(n, self.items.len(), |world, item| {
                world.engine.complete_item(world.items[item].id);
                world.items[item].computed = true;
            }),
            Operation::Defer(n) => {
                self.with(n, self.batches.len(), |world, batch| world.defer(batch, None));
            }
            Operation::DeferToTask(n) => self.with(n, self.batches.len(), |world, batch| {
                let flush_task = world.tasks.len().checked_sub(1);
                world.defer(batch, flush_task);
            }),
            Operation::Close(n) => self.with(n, self.batches.len(), Self::close),
            Operation::CompleteTask(n) => self.with(n, self.tasks.len(), Self::complete),
            Operation::Wake(n) => self.with(n, self.tasks.len(), Self::wake),
            Operation::Interrupt(n) => self.with(n, self.tasks.len(), Self::interrupt),
        }
    }

    /// Does something to one of `count` things, the first for number 0, if there are any.
    fn with(&mut self, number: u8, count: usize, what: impl FnOnce(&mut Self, usize)) {
        if count > 0 {
            what(self, usize::from(number) * count / 256);
        }
    }

    /// Returns whether there is a call that can still be given something to do.
    fn can_drive(&self) -> bool {
        self.calls.last().is_some_and(|call| !call.done)
    }

    fn add_task(&mut self, state: State) {
        let payload = self.tasks.len();
        let id = match state {
            State::Promise => self.engine.add_promise(payload),
            _ => self.engine.add_task(payload),
        };
        self.places.insert(id.into(), payload);
        self.tasks.push(Task {
            id,
            state,
            asked: Vec::new(),
            set_going: false,
            scope: None,
            is_adopted: false,
            carries: false,
        });
    }

    fn add_batch(&mut self, rule: PriorityRule) {
        let id = self.engine.add_batch(self.batches.len(), rule);
        self.batches.push(Batch { id, stage: Stage::Open, scopes: Vec::new() });
    }

    fn add_item(&mut self, batch: usize) {
        let added = self.engine.add_item(self.batches[batch].id);
        assert_eq!(added.is_some(), self.batches[batch].stage == Stage::Open);
        if let Some(id) = added {
            let scope = self.code_scope();
            if scope.is_some() || self.running().is_some() {
                self.batches[batch].scopes.push(scope);
            }
            self.places.insert(id.into(), self.items.len());
            self.items.push(Item { id, batch, computed: false });
        } else {
            // As a source does.
            self.add_batch(PriorityRule::BySize);
            self.add_item(self.batches.len() - 1);
        }
    }

    fn enter(&mut self, root: usize) {
        if self.calls.len() == DEPTH || !self.calls.is_empty() && !self.can_drive() {
            return;
        }
        self.adopt(root, self.code_scope());
        self.engine.enter(self.tasks[root].id);
        self.calls.push(Call {
            root,
            running: None,
            flushing: None,
            needs: BTreeSet::from([Need::Task(root)]),
            callers: self.active.last().copied(),
            abandoned: false,
            done: false,
        });
    }

    /// Ends the innermost call. What it leaves behind goes to the one around it.
    pub(super) fn exit(&mut self) {
        self.engine.exit();
        let ended = self.calls.pop().expect("there is a call");
        let Some(outer) = self.calls.last_mut() else { return };
        outer.needs.extend(ended.needs);
        let caller = outer.running;
        if let Some(caller) = caller.filter(|&caller| self.tasks[caller].state == State::Ended) {
            self.leave_all(caller, ended.callers);
        }
    }

    /// Leaves the contexts that `owner` has entered, from `scope` outwards; the next switch will pause them.
    fn leave_all(&mut self, owner: usize, mut scope: Option<usize>) {
        while let Some(context) = scope.filter(|&context| self.contexts[context].owner == owner) {
            self.contexts[context].left = true;
            scope = self.contexts[context].parent;
        }
    }

    fn adopt(&mut self, task: usize, scope: Option<usize>) {
        let task = &mut self.tasks[task];
        if task.state == State::New && !task.is_adopted {
            task.is_adopted = true;
            task.scope = scope;
        }
    }

    fn abandon(&mut self) {
        if let Some(call) = self.calls.last_mut() {
            call.abandoned = true;
            call.running = None;
            self.engine.abandon();
        }
    }

    fn need_task(&mut self, task: usize) {
        if self.can_drive() {
            self.adopt(task, self.code_scope());
            self.engine.need(self.tasks[task].id);
            self.need(self.tasks[task].id.into());
        }
    }

    fn depend_on_task(&mut self, task: usize) {
        if self.running().is_some() {
            self.adopt(task, self.code_scope());
            self.depend(self.tasks[task].id.into());
        }
    }

    fn depend(&mut self, on: Dependency) {
        if let Some(running) = self.running() {
            let has_to_wait = self.engine.depend(on);
            assert_eq!(has_to_wait, !self.is_computed(on));
            if has_to_wait {
                self.tasks[running].asked.push(on);
            }
        }
    }

    pub(super) fn block(&mut self, until: Until) {
        let Some(task) = self.calls.last_mut().and_then(|call| call.running.take()) else {
            return;
        };
        self.engine.block(until);
        if self.tasks[task].state == State::Running {
            self.tasks[task].state = State::Blocked(until);
            for on in self.tasks[task].asked.clone() {
                self.note_wait(task, on);
            }
        }
    }

    fn note_wait(&mut self, task: usize, on: Dependency) {
        if let Dependency::Item(_) = on {
            let Item { batch, computed, .. } = self.items[self.places[&on]];
            if !computed && self.batches[batch].stage == Stage::Open {
                let scope = self.tasks[task].scope;
                self.batches[batch].scopes.push(scope);
            }
        }
    }

    fn enter_context(&mut self) {
        let Some(owner) = self.running() else {
            assert_eq!(self.engine.enter_context(usize::MAX), None);
            return;
        };
        let context = self.contexts.len();
        let entered = self.engine.enter_context(context);
        assert_eq!(entered.is_some(), self.tasks[owner].state == State::Running);
        if let Some(id) = entered {
            let parent = self.tasks[owner].scope.replace(context);
            self.contexts.push(Context { id, owner, parent, left: false });
            self.active.push(context);
        }
    }

    pub(super) fn leave_context(&mut self, context: usize) {
        let was_active = self.active.contains(&context);
        assert_eq!(self.engine.leave_context(self.contexts[context].id), was_active);
        self.leave(context);
    }

    fn leave(&mut self, context: usize) {
        self.contexts[context].left = true;
        self.active.retain(|&active| active != context);
    }

    fn fail_context(&mut self) {
        let Some(context) = self.switched else { return };
        let Context { id, owner, left, .. } = self.contexts[context];
        let failed = self.engine.fail_context(id);
        assert_eq!(failed, (!left).then_some(self.tasks[owner].id));
        if !left {
            self.leave(context);
            self.note_interrupt(owner);
        }
    }

    fn set_scope(&mut self, number: usize) {
        let Some(task) = self.running().filter(|&task| self.tasks[task].state == State::Running)
        else {
            return;
        };
        let is_own = |context: &Context| context.owner == task && !context.left;
        let scope = match self.contexts.get(number) {
            Some(context) if is_own(context) => Some(number),
            _ => self.inherited(task),
        };
        self.engine.set_scope(scope.map(|scope| self.contexts[scope].id));
        self.tasks[task].scope = scope;
        while let Some(step) = self.engine.switch() {
            self.answer(step, 0);
        }
        self.check_active(task);
    }

    /// The context in which a task was when it began, or what is left around that.
    fn inherited(&self, task: usize) -> Option<usize> {
        let chain = self.chain(self.tasks[task].scope);
        chain.into_iter().rfind(|&context| self.contexts[context].owner != task)
    }

    pub(super) fn defer(&mut self, batch: usize, flush_task: Option<usize>) {
        self.engine.defer(self.batches[batch].id, flush_task.map(|task| self.tasks[task].id));
        if self.batches[batch].stage == Stage::Flushing {
            self.batches[batch].stage = Stage::InFlight(flush_task);
            if let Some(flush_task) = flush_task {
                self.tasks[flush_task].carries = true;
            }
        }
    }

    pub(super) fn close(&mut self, batch: usize) {
        let payload = self.engine.close(self.batches[batch].id);
        let is_open = self.batches[batch].stage != Stage::Closed;
        assert_eq!(payload, is_open.then_some(batch));
        self.batches[batch].stage = Stage::Closed;
        for item in self.items.iter_mut().filter(|item| item.batch == batch) {
            item.computed = true;
        }
    }

    pub(super) fn complete(&mut self, task: usize) {
        let payload = self.engine.complete(self.tasks[task].id);
        let Task { state, scope, .. } = &mut self.tasks[task];
        let has_ended = std::mem::replace(state, State::Ended) == State::Ended;
        assert_eq!(payload, (!has_ended).then_some(task));
        let scope = scope.take();
        if let Some(call) = self.calls.last_mut()
            && call.running == Some(task)
        {
            call.running = None;
        }
        // Otherwise its code is suspended in a call, and leaves them when that returns.
        if self.calls.iter().all(|call| call.running != Some(task)) {
            self.leave_all(task, scope);
        }
    }

    pub(super) fn wake(&mut self, task: usize) {
        self.engine.wake(self.tasks[task].id);
        let Task { state, set_going, .. } = &mut self.tasks[task];
        *set_going |= matches!(state, State::Running | State::Blocked(Until::AnyOrWake));
    }

    fn interrupt(&mut self, task: usize) {
        self.engine.interrupt(self.tasks[task].id);
        self.note_interrupt(task);
    }

    pub(super) fn note_interrupt(&mut self, task: usize) {
        let Task { state, set_going, .. } = &mut self.tasks[task];
        *set_going |= matches!(state, State::Blocked(_));
    }
}
