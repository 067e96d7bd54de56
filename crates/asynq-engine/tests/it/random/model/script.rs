//! Scripts: one step of a task.

use super::{Model, Of, On, Outside, State};
use crate::sim::{self, Join, Op, Outcome, Ran};

enum Then {
    GoOn,
    Raise(String),
    Wait,
    End(Outcome),
}

impl From<Result<(), String>> for Then {
    fn from(result: Result<(), String>) -> Self {
        result.err().map_or(Self::GoOn, Self::Raise)
    }
}

impl<'a> Model<'a> {
    pub(super) fn run(&mut self, task: usize) {
        self.forget(task);
        self.tasks[task].state = State::Running { woken: false };
        self.calls.last_mut().expect("somebody calls").running = Some(task);
        let received = match self.tasks[task].error.take() {
            Some(error) => {
                self.tasks[task].waiting.clear();
                Err(error)
            }
            None => self.receive(task),
        };
        self.tasks[task].depends_on.clear();
        self.tasks[task].named.clear();
        self.tell_step(task, &received);
        let mut then = received.map(drop).into();
        // A task can be cancelled while it runs, by itself or in a call that it makes.
        while !self.has_ended(task) {
            then = match then {
                Then::Wait => break,
                Then::Raise(error) if self.catch(task) => {
                    self.say(&format!("{} catches: {error}", self.tasks[task].name));
                    Then::GoOn
                }
                Then::Raise(error) => Then::End(Err(error)),
                Then::GoOn => match self.next_op(task) {
                    Some(op) => self.perform(task, op),
                    None => Then::End(Ok(self.tasks[task].sum)),
                },
                Then::End(outcome) => {
                    self.end(task, outcome);
                    break;
                }
            };
        }
        self.calls.last_mut().expect("somebody calls").running = None;
    }

    fn tell_step(&mut self, task: usize, received: &Result<String, String>) {
        let name = self.tasks[task].name.clone();
        let contexts = self.active_names();
        let what = match received {
            Err(error) => format!("gets error: {error}"),
            Ok(values) if self.tasks[task].started => format!("gets {values}"),
            Ok(_) => "starts".into(),
        };
        let under = match contexts.as_slice() {
            [] => String::new(),
            some => format!(" under {}", some.join(", ")),
        };
        self.say(&format!("{name} {what}{under}"));
        self.tasks[task].started = true;
        self.told.ran.push(Ran { task: name, contexts });
    }

    /// Adds up what the task waited for, or says which error comes first.
    fn receive(&mut self, task: usize) -> Result<String, String> {
        self.tasks[task].has_some = false;
        let waiting = std::mem::take(&mut self.tasks[task].waiting);
        let outcomes: Vec<_> = waiting.into_iter().map(|on| self.outcome(on).cloned()).collect();
        if let Some(error) = outcomes.iter().flatten().find_map(|outcome| outcome.clone().err()) {
            return Err(error);
        }
        let values: Vec<_> = outcomes.into_iter().map(|there| there.and_then(Result::ok)).collect();
        self.tasks[task].sum += values.iter().flatten().sum::<i64>();
        let show = |value: &Option<i64>| value.map_or("-".into(), |value| value.to_string());
        Ok(format!("[{}]", values.iter().map(show).collect::<Vec<_>>().join(", ")))
    }

    fn next_op(&mut self, task: usize) -> Option<&'a Op> {
        let task = &mut self.tasks[task];
        let (Of::Task(script) | Of::Helper(script)) = task.of else {
            unreachable!("a promise does not run")
        };
        task.position += 1;
        self.program.tasks[script.0].script.get(task.position - 1)
    }

    fn catch(&mut self, task: usize) -> bool {
        while let Some(op) = self.next_op(task) {
            if *op == Op::Catch {
                return true;
            }
        }
        false
    }

    fn perform(&mut self, task: usize, op: &Op) -> Then {
        match op {
            Op::Await(on, join) => return self.wait_for(task, on, *join),
            Op::Depend(on) => {
                for on in on {
                    let on = self.resolve(on);
                    self.tasks[task].waiting.push(on);
                    self.depend(task, on);
                }
            }
            Op::Wake(woken) => {
                let task = self.find(Of::Task(*woken));
                match &mut self.tasks[task].state {
                    State::Blocked { join: Join::AnyOrWake(_), .. } => self.interrupt(task),
                    State::Running { woken } => *woken = true,
                    _ => {}
                }
            }
            Op::Call(called) => {
                let called = self.find(Of::Task(*called));
                let outcome = self.call(called);
                return outcome.map(|value| self.tasks[task].sum += value).into();
            }
            Op::Enter(context) => return self.enter(task, *context).into(),
            Op::Leave(context) => return self.leave(*context).into(),
            Op::Fail(error) => return Then::Raise(error.clone()),
            Op::Set(promise, outcome) => {
                let promise = self.find(Of::Promise(*promise));
                if !self.has_ended(promise) {
                    self.end(promise, outcome.clone());
                }
            }
            Op::Cancel(cancelled) => {
                let cancelled = self.find(Of::Task(*cancelled));
                if !self.has_ended(cancelled) {
                    self.end(cancelled, Err("cancelled".into()));
                }
            }
            Op::Flush(source) => {
                if let Some(batch) = self.open_batch(*source) {
                    self.flush_out_of_turn(batch);
                }
            }
            Op::GiveUp => {
                self.calls.last_mut().expect("somebody calls").given_up = true;
                self.end(task, Err("interrupted".into()));
            }
            Op::Add(number) => self.tasks[task].sum += number,
            Op::Catch => {}
        }
        Then::GoOn
    }

    fn wait_for(&mut self, task: usize, on: &[sim::On], join: Join) -> Then {
        let on: Vec<On> = on.iter().map(|on| self.resolve(on)).collect();
        self.tasks[task].waiting.extend(&on);
        let is_there = |on: &On| self.outcome(*on).is_some();
        let can_go_on = match join {
            Join::All => self.tasks[task].depends_on.is_empty() && on.iter().all(is_there),
            Join::Any | Join::AnyOrWake(_) => self.tasks[task].has_some || on.iter().any(is_there),
        };
        if can_go_on {
            return self
                .receive(task)
                .map(|values| self.say(&format!("{} has {values}", self.tasks[task].name)))
                .into();
        }
        let name_or_value = |on: &On| if is_there(on) { "-".into() } else { self.name(*on) };
        let all = self.tasks[task].depends_on.iter().chain(&on);
        let names: Vec<_> = all.map(name_or_value).collect();
        let some = if join == Join::All { "" } else { "any of " };
        self.say(&format!("{} awaits {some}[{}]", self.tasks[task].name, names.join(", ")));
        if let Join::AnyOrWake(order) = join {
            self.outside.push((order, Outside::Wakes(task)));
        }
        for on in on {
            self.depend(task, on);
        }
        self.block(task, join);
        Then::Wait
    }

    fn resolve(&mut self, on: &sim::On) -> On {
        match *on {
            sim::On::Task(task) => On::Task(self.find(Of::Task(task))),
            sim::On::Promise(promise) => On::Task(self.find(Of::Promise(promise))),
            sim::On::Item(source, key) => self.ask(source, key),
        }
    }

    /// The running task will wait for `on`, if that is not computed.
    fn depend(&mut self, task: usize, on: On) {
        if self.outcome(on).is_some() {
            self.tasks[task].has_some = true;
            return;
        }
        let scope = self.tasks[task].scope;
        if let On::Task(awaited) = on {
            self.adopt(awaited, scope);
        }
        self.tasks[task].depends_on.push(on);
        self.tasks[task].named.push((on, scope));
        self.spread_waiting();
    }

    /// A task has ended, or a promise is set.
    fn end(&mut self, task: usize, outcome: Outcome) {
        let name = self.tasks[task].name.clone();
        let is_promise = matches!(self.tasks[task].of, Of::Promise(_));
        self.say(&match &outcome {
            Ok(value) if is_promise => format!("{name} is set to {value}"),
            Ok(value) => format!("{name} returns {value}"),
            Err(error) => format!("{name} fails: {error}"),
        });
        self.told.results.insert(name, outcome.clone());
        self.forget(task);
        let outer = self.calls.split_last().map_or(&[][..], |(_, outer)| outer);
        // Otherwise its code is suspended in a call, and leaves them when that returns.
        if outer.iter().all(|call| call.running != Some(task)) {
            self.leave_all(task);
        }
        self.tasks[task].state = State::Ended(outcome.clone());
        self.look_who_can_go_on();
        if let Some(batch) = self.tasks[task].carries {
            self.land(batch, outcome.err());
        }
    }
}
