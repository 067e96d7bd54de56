//! Failures that random runs have found.

use asynq_engine::{Engine, PriorityRule, Step, Until};

use super::model;
use super::programs::Case;
use crate::sim::{Driver, Flush, Join, On, Op, Program, Sim, TaskRef, all, any, one};

/// A task waits for itself, then for an item whose flush task waits for it, then for itself again.
#[test]
fn a_deadlock_names_each_task_once() {
    let mut p = Program::new();
    let db = p.source("db");
    let task = p.declare("task");
    let flush_task = p.task("flush", [one(task)]);
    p.flush(db, Flush::Carried(flush_task));
    p.script(task, [Op::Await(vec![On::Task(task), db.item(0), On::Task(task)], Join::All)]);
    let case = Case { program: p, roots: vec![task] };
    let mut driver = Driver::new(case.program.clone());
    driver.call(task);
    let log = driver.into_record().log();
    assert!(log.contains("fails: [task, flush[db#1]]"), "{log}");
    assert_eq!(log, model::run(&case.program, &case.roots).log);
}

/// The flush task of an outer call's batch is ready in the inner call that flushes it: it stays there.
#[test]
fn a_flush_task_that_an_inner_call_needs_runs_there() {
    let mut engine = Engine::<Sim>::new();
    let batch = engine.add_batch(0, PriorityRule::BySize);
    let item = engine.add_item(batch).unwrap();
    let [outer, waiting, calling, inner, flushing, flush_task] = [0; 6].map(|_| engine.add_task(0));

    engine.enter(outer);
    assert_eq!(engine.next(), Step::Run(outer));
    engine.depend(waiting);
    engine.depend(calling);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(waiting));
    engine.depend(item);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(calling));

    engine.enter(inner);
    assert_eq!(engine.next(), Step::Run(inner));
    engine.depend(flushing);
    engine.depend(flush_task);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(flushing));
    assert!(engine.begin_flush(batch));
    engine.defer(batch, Some(flush_task));
    engine.complete(flushing);
    assert_eq!(engine.next(), Step::Run(flush_task));
}

/// A task in no context makes what it waits for be asked for under none, even if that wait began while
/// the awaited task was flushing a batch, and so outside of its own context.
#[test]
fn who_awaits_a_task_during_a_flush_of_it_counts_for_what_it_asks_for_later() {
    let mut p = Program::new();
    let [db, config] = ["db", "config"].map(|name| p.source(name));
    let context = p.context("context");
    let shared = p.declare("shared");
    let helper = p.task("helper", [one(shared)]);
    p.flush(db, Flush::Calls(helper));
    p.script(shared, [Op::Depend(vec![db.item(1)]), Op::Flush(db), one(config.item(1))]);
    let other = p.task("other", [one(db.item(2))]);
    let first = p.task("first", [Op::Enter(context), one(shared), Op::Leave(context)]);
    let root = p.task("root", [all([other, first])]);
    let case = Case { program: p, roots: vec![root] };
    let mut driver = Driver::new(case.program.clone());
    driver.call(root);
    let log = driver.into_record().log();
    assert!(log.contains("other fails: deadlock\nflush config#1(1)\n"), "{log}");
    assert_eq!(log, model::run(&case.program, &case.roots).log);
}

/// A task is driven by a call of somebody else, which it gives up.
#[test]
fn a_task_that_gives_up_a_call_of_somebody_else_leaves_its_contexts() {
    let mut p = Program::new();
    let [sent, db] = ["sent", "db"].map(|name| p.source(name));
    p.flush(sent, Flush::Later(0));
    let context = p.context("context");
    let root = p.declare("root");
    let calling = p.task("calling", [Op::Call(root)]);
    let middle = p.task("middle", [Op::Depend(vec![db.item(1)]), Op::Flush(db), any([calling])]);
    let item = sent.item(0);
    p.script(
        root,
        [Op::Enter(context), Op::Depend(vec![item]), Op::Flush(sent), one(middle), Op::GiveUp],
    );
    let case = Case { program: p, roots: vec![root] };
    let mut driver = Driver::new(case.program.clone());
    driver.call(root);
    assert_eq!(driver.into_record().log(), model::run(&case.program, &case.roots).log);
}

/// The model used to line up the tasks that were woken when the call began, before it claimed them.
#[test]
fn tasks_that_the_caller_woke_go_on_in_the_call_in_the_order_of_their_waits() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let [first, second] = ["first", "second"].map(|name| p.task(name, [one(promise)]));
    let called = p.task("called", [all([second, first])]);
    let calling = p.task("calling", [Op::Set(promise, Ok(1)), Op::Call(called)]);
    let root = p.task("root", [all([first, second, called, calling])]);
    let case = Case { program: p, roots: vec![root] };
    let mut driver = Driver::new(case.program.clone());
    driver.call(root);
    assert_eq!(driver.into_record().log(), model::run(&case.program, &case.roots).log);
}

/// A flush that is chosen used to be under no context if the context that all who wait have in common
/// was left: what somebody in it asks for was then asked for under no context, too.
fn flush_under_a_context_that_was_left(flush: impl Fn(TaskRef) -> Flush) {
    let mut p = Program::new();
    let [db, config] = ["db", "config"].map(|name| p.source(name));
    let [outer, inner] = ["outer", "inner"].map(|name| p.context(name));
    let shared = p.task("shared", [Op::Enter(inner), one(config.item(1)), one(config.item(2))]);
    let helper = p.task("helper", [one(shared)]);
    p.flush(db, flush(helper));
    let asking = p.task("asking", [one(db.item(0))]);
    let called = p.task("called", [Op::Leave(outer), all([asking, shared])]);
    let root = p.task("root", [Op::Enter(outer), Op::Call(called)]);
    let case = Case { program: p, roots: vec![root] };
    let mut driver = Driver::new(case.program.clone());
    driver.call(root);
    let log = driver.into_record().log();
    let lines: Vec<_> = log.lines().map(str::trim).collect();
    let asks = lines.iter().position(|&line| line == "shared awaits [config#2(2)]").expect(&log);
    assert_eq!(lines[asks + 1], "flush config#2(2)", "`inner` is common to all who wait: {log}");
    assert_eq!(log, model::run(&case.program, &case.roots).log);
}

#[test]
fn a_flush_task_waits_under_the_contexts_of_its_flush_although_they_are_left() {
    flush_under_a_context_that_was_left(Flush::Carried);
}

#[test]
fn a_call_in_a_flush_is_made_under_the_contexts_of_the_flush_although_they_are_left() {
    flush_under_a_context_that_was_left(Flush::Calls);
}

/// A task used to go back to a context after a flush out of turn although that was left meanwhile. Here it
/// is one that is kept out of flushes, and with it whatever is entered inside.
#[test]
fn a_task_does_not_go_back_to_a_context_that_fails_to_resume_after_a_flush() {
    let mut p = Program::new();
    let [db, config] = ["db", "config"].map(|name| p.source(name));
    let [clock, own] = ["clock", "own"].map(|name| p.context(name));
    p.keep_out_of_flushes(clock);
    p.fail_resume(clock, 2);
    let asking = p.task("asking", [Op::Enter(own), one(config.item(1))]);
    let flushing = [Op::Enter(clock), Op::Depend(vec![db.item(0)]), Op::Flush(db), one(asking)];
    let root = p.task("root", flushing);
    let case = Case { program: p, roots: vec![root] };
    let mut driver = Driver::new(case.program.clone());
    driver.call(root);
    let log = driver.into_record().log();
    assert!(log.contains("asking awaits [config#1(1)]\nflush config#1(1)\n"), "{log}");
    assert_eq!(log, model::run(&case.program, &case.roots).log);
}
