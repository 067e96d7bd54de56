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
                    world.note_code_waiting(world.items[item].id.into());
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
                    world.note_flush(batch, true);
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
            asked_in: Vec::new(),
            set_going: false,
            scope: None,
            inherited: None,
            waiting_scopes: Vec::new(),
            is_adopted: false,
        });
    }

    fn add_batch(&mut self, rule: PriorityRule) {
        let id = self.engine.add_batch(self.batches.len(), rule);
        let is_limited_to_call = rule == PriorityRule::Ask;
        if is_limited_to_call {
            self.engine.limit_to_call(id);
        }
        self.batches.push(Batch {
            id,
            stage: Stage::Open,
            waiting_scopes: Vec::new(),
            is_limited_to_call,
            asked_outside: false,
        });
    }

    fn add_item(&mut self, batch: usize) {
        let added = self.engine.add_item(self.batches[batch].id);
        assert_eq!(added.is_some(), self.batches[batch].stage == Stage::Open);
        if let Some(id) = added {
            self.places.insert(id.into(), self.items.len());
            self.items.push(Item { id, batch, computed: false });
            if self.code_scope().is_some() || self.running().is_some() {
                self.note_code_waiting(id.into());
            } else {
                self.batches[batch].asked_outside = true;
            }
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
        self.note_code_waiting(self.tasks[root].id.into());
        self.engine.enter(self.tasks[root].id);
        let made_in = self.code_scope();
        self.calls.push(Call {
            root,
            made_in,
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
            outer.running = None;
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
            task.inherited = scope;
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
            self.note_code_waiting(self.tasks[task].id.into());
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
                self.note_code_waiting(on);
                let scope = self.tasks[running].scope;
                self.tasks[running].asked.push(on);
                self.tasks[running].asked_in.push(scope);
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
        }
    }

    /// The flush of a batch begins.
    pub(super) fn note_flush(&mut self, batch: usize, is_out_of_turn: bool) {
        if is_out_of_turn {
            let scope = self.code_waiting_scope();
            self.batches[batch].waiting_scopes.push(scope);
        }
        // From now on nobody changes it: those who wait later count for the flush task.
        let scope = self.flush_scope(batch, is_out_of_turn);
        self.batches[batch].waiting_scopes = vec![scope];
        self.batches[batch].stage = Stage::Flushing;
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
            let is_kept_out = context % 4 == 3;
            if is_kept_out {
                self.engine.keep_out_of_flushes(id);
            }
            self.contexts.push(Context { id, owner, parent, left: false, is_kept_out });
            self.active.push(context);
        }
    }

    pub(super) fn leave_context(&mut self, context: usize) {
        let was_active = self.active.contains(&context);
        assert_eq!(self.engine.leave_context(self.contexts[context].id), was_active);
        self.leave(context);
    }

    fn leave(&mut self, context: usize) {
        let Context { owner, parent, left, .. } = &mut self.contexts[context];
        if !std::mem::replace(left, true) && self.tasks[*owner].scope == Some(context) {
            self.tasks[*owner].scope = *parent;
        }
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
            _ => self.tasks[task].inherited,
        };
        self.engine.set_scope(scope.map(|scope| self.contexts[scope].id));
        self.tasks[task].scope = scope;
        while let Some(step) = self.engine.switch() {
            self.answer(step, 0);
        }
        self.check_active(task);
    }

    pub(super) fn defer(&mut self, batch: usize, flush_task: Option<usize>) {
        self.engine.defer(self.batches[batch].id, flush_task.map(|task| self.tasks[task].id));
        if self.batches[batch].stage == Stage::Flushing {
            self.batches[batch].stage = Stage::InFlight(flush_task);
            if let Some(flush_task) = flush_task {
                let scopes = self.batches[batch].waiting_scopes.clone();
                self.adopt(flush_task, scopes[0]);
                self.tasks[flush_task].waiting_scopes.extend(scopes);
                self.spread_waiting();
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
