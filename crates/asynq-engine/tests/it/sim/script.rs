//! Running the scripts of tasks.

use asynq_engine::{Dependency, TaskId, Until};

use super::driver::{Awaited, Driver, Instance, Outside};
use super::program::{ContextRef, Join, On, Op, Outcome};
use super::record::Ran;

/// The way in which a task goes on after an op.
enum Flow {
    Next,
    Raise(String),
    Blocked,
}

impl Driver {
    /// Runs a task until it waits or has ended.
    pub(super) fn step(&mut self, task: TaskId) {
        assert_eq!(self.engine.running(), Some(task));
        let node = *self.engine.task(task).expect("the engine runs it");
        self.outside.retain(|_, event| *event != Outside::Wakes(node));
        let input = match self.nodes[node].error.take() {
            Some(error) => {
                self.nodes[node].waiting.clear();
                Err(error)
            }
            None => self.receive(node),
        };
        self.nodes[node].depends_on.clear();
        self.record_step(node, &input);
        let mut flow = input.err().map_or(Flow::Next, Flow::Raise);
        loop {
            if self.nodes[node].result.is_some() {
                // Cancelled meanwhile; the engine still expects an answer to its step if that
                // happened in a synchronous call.
                self.engine.complete(task);
                return;
            }
            flow = match flow {
                Flow::Blocked => return,
                Flow::Raise(error) => {
                    if !self.catch(node, &error) {
                        return self.finish(node, Err(error));
                    }
                    Flow::Next
                }
                Flow::Next => match self.next_op(node) {
                    Some(op) => self.perform(node, op),
                    None => return self.finish(node, Ok(self.nodes[node].sum)),
                },
            };
        }
    }

    fn record_step(&mut self, node: usize, input: &Result<String, String>) {
        let contexts = self.active();
        let state = &mut self.nodes[node];
        let name = state.name.clone();
        let mut line = match input {
            Err(error) => format!("{name} gets error: {error}"),
            Ok(values) if state.started => format!("{name} gets {values}"),
            Ok(_) => format!("{name} starts"),
        };
        state.started = true;
        if !contexts.is_empty() {
            line = format!("{line} under {}", contexts.join(", "));
        }
        self.record.say(line);
        self.record.ran.push(Ran { task: name, contexts });
    }

    /// Takes what a task waited for, as far as it is there: adds the values up and lists them, or
    /// returns the first error.
    fn receive(&mut self, node: usize) -> Result<String, String> {
        self.nodes[node].has_some = false;
        let waiting = std::mem::take(&mut self.nodes[node].waiting);
        let mut values = Vec::new();
        let mut sum = 0;
        for awaited in waiting {
            match self.result_of(awaited).cloned().transpose()? {
                Some(value) => {
                    values.push(value.to_string());
                    sum += value;
                }
                None => values.push("-".into()),
            }
        }
        self.nodes[node].sum += sum;
        Ok(format!("[{}]", values.join(", ")))
    }

    fn next_op(&mut self, node: usize) -> Option<Op> {
        let node = &mut self.nodes[node];
        let script = node.script.expect("only tasks run");
        let op = self.program.tasks[script.0].script.get(node.position)?;
        node.position += 1;
        Some(op.clone())
    }

    /// Goes to the next [`Op::Catch`], if there is one.
    fn catch(&mut self, node: usize, error: &str) -> bool {
        while let Some(op) = self.next_op(node) {
            if op == Op::Catch {
                let name = &self.nodes[node].name;
                self.record.say(format!("{name} catches: {error}"));
                return true;
            }
        }
        false
    }

    /// Ends a task or promise.
    fn finish(&mut self, node: usize, outcome: Outcome) {
        let state = &mut self.nodes[node];
        let name = state.name.clone();
        self.record.say(match &outcome {
            Ok(value) if state.script.is_none() => format!("{name} is set to {value}"),
            Ok(value) => format!("{name} returns {value}"),
            Err(error) => format!("{name} fails: {error}"),
        });
        self.record.results.insert(name, outcome.clone());
        state.result = Some(outcome.clone());
        let id = self.nodes[node].id;
        // Otherwise its code is suspended in a call, and leaves them when that returns.
        if !self.callers.contains(&Some(id)) {
            self.leave_contexts_of(id);
        }
        self.outside.retain(|_, event| *event != Outside::Wakes(node));
        self.engine.complete(id);
        if let Some(batch) = self.nodes[node].carries {
            self.land(batch, outcome.err());
        }
    }

    fn perform(&mut self, node: usize, op: Op) -> Flow {
        match op {
            Op::Await(on, join) => self.wait_for(node, &on, join),
            Op::Depend(on) => {
                for on in on {
                    let (place, on) = self.resolve(on);
                    self.nodes[node].waiting.push(place);
                    self.depend(node, on);
                }
                Flow::Next
            }
            Op::Call(task) => {
                let called = self.task(task);
                match self.drive(called) {
                    Ok(value) => {
                        self.nodes[node].sum += value;
                        Flow::Next
                    }
                    Err(error) => Flow::Raise(error),
                }
            }
            Op::Enter(context) => self.enter_context(node, context),
            Op::Leave(context) => self.leave_context(context),
            Op::Set(promise, outcome) => {
                let promise = self.promise(promise);
                if self.nodes[promise].result.is_none() {
                    self.finish(promise, outcome);
                }
                Flow::Next
            }
            Op::Cancel(task) => {
                let task = self.task(task);
                if self.nodes[task].result.is_none() {
                    self.finish(task, Err("cancelled".into()));
                }
                Flow::Next
            }
            Op::Wake(task) => {
                let task = self.task(task);
                self.engine.wake(self.nodes[task].id);
                Flow::Next
            }
            Op::Flush(source) => {
                self.flush_out_of_turn(source);
                Flow::Next
            }
            Op::Fail(error) => Flow::Raise(error),
            Op::GiveUp => {
                self.engine.abandon();
                self.finish(node, Err("interrupted".into()));
                Flow::Next
            }
            Op::Add(number) => {
                self.nodes[node].sum += number;
                Flow::Next
            }
            Op::Catch => Flow::Next,
        }
    }

    fn wait_for(&mut self, node: usize, on: &[On], join: Join) -> Flow {
        let resolved: Vec<_> = on.iter().map(|&on| self.resolve(on)).collect();
        let (places, on): (Vec<Awaited>, Vec<Dependency>) = resolved.into_iter().unzip();
        let state = &mut self.nodes[node];
        state.waiting.extend(places);
        let is_there = |&on: &Dependency| self.engine.is_computed(on);
        let has_all = state.depends_on.is_empty() && on.iter().all(is_there);
        let has_some = state.has_some || on.iter().any(is_there);
        let until = match join {
            Join::All if has_all => return self.go_on(node),
            Join::Any | Join::AnyOrWake(_) if has_some => return self.go_on(node),
            Join::All => Until::All,
            Join::Any => Until::Any,
            Join::AnyOrWake(order) => {
                self.happens_later(order, Outside::Wakes(node));
                Until::AnyOrWake
            }
        };
        let all = self.nodes[node].depends_on.iter().chain(&on);
        let names: Vec<_> = all.map(|&on| self.name_or_value(on)).collect();
        let name = &self.nodes[node].name;
        let some = if join == Join::All { "" } else { "any of " };
        self.record.say(format!("{name} awaits {some}[{}]", names.join(", ")));
        for on in on {
            self.depend(node, on);
        }
        self.engine.block(until);
        Flow::Blocked
    }

    fn depend(&mut self, node: usize, on: Dependency) {
        if self.engine.depend(on) {
            self.nodes[node].depends_on.push(on);
        } else {
            self.nodes[node].has_some = true;
        }
    }

    fn name_or_value(&self, on: Dependency) -> String {
        if self.engine.is_computed(on) { "-".into() } else { self.name_of(on) }
    }

    /// Goes on with a task when everything it awaits is computed already.
    fn go_on(&mut self, node: usize) -> Flow {
        match self.receive(node) {
            Ok(values) => {
                let name = &self.nodes[node].name;
                self.record.say(format!("{name} has {values}"));
                Flow::Next
            }
            Err(error) => Flow::Raise(error),
        }
    }

    fn enter_context(&mut self, owner: usize, spec: ContextRef) -> Flow {
        let instance = self.contexts.len();
        let id = self.engine.enter_context(instance).expect("a task runs");
        if self.program.contexts[spec.0].is_kept_out_of_flushes {
            self.engine.keep_out_of_flushes(id);
        }
        self.contexts.push(Instance {
            spec,
            owner,
            id,
            active: false,
            left: false,
            pauses: 0,
            resumes: 0,
        });
        match self.resume_instance(instance) {
            Ok(()) => Flow::Next,
            Err(error) => {
                // It fails where it is entered: no need to wait until the task runs next.
                self.contexts[instance].left = true;
                self.engine.leave_context(self.contexts[instance].id);
                Flow::Raise(error)
            }
        }
    }

    fn leave_context(&mut self, spec: ContextRef) -> Flow {
        let entered = |context: &Instance| context.spec == spec && !context.left;
        let Some(instance) = self.contexts.iter().rposition(entered) else {
            return Flow::Next;
        };
        self.contexts[instance].left = true;
        if !self.engine.leave_context(self.contexts[instance].id) {
            return Flow::Next;
        }
        match self.pause_instance(instance) {
            Ok(()) => Flow::Next,
            Err(error) => Flow::Raise(error),
        }
    }
}
