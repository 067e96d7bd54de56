//! Scale: long chains and wide joins take a constant native stack, and steps in proportion.
//!
//! Each test runs on a thread whose stack is too small for a recursion of a few thousand levels.

use std::cmp::Ordering;
use std::thread;

use asynq_engine::{Engine, PriorityRule, Step, TaskId, Until};

use crate::plain::Plain;

const MILLION: usize = if cfg!(miri) { 300 } else { 1_000_000 };
/// Enough to overflow that stack many times, in fewer seconds.
const MANY: usize = MILLION / 10;

#[derive(Debug, Default, PartialEq, Eq)]
struct Steps {
    run: usize,
    flush: usize,
    pause: usize,
    resume: usize,
}

/// Calls `root`, with `run` as the answer to [`Step::Run`].
fn call(
    engine: &mut Engine<Plain>,
    root: TaskId,
    mut run: impl FnMut(&mut Engine<Plain>, TaskId),
) -> Steps {
    let mut steps = Steps::default();
    engine.enter(root);
    loop {
        match engine.next() {
            Step::Run(task) => {
                steps.run += 1;
                run(engine, task);
            }
            Step::Flush(batch) => {
                steps.flush += 1;
                engine.close(batch);
            }
            Step::Pause(_) => steps.pause += 1,
            Step::Resume(_) => steps.resume += 1,
            Step::Deadlock(_) => {}
            Step::Done => break,
            step @ (Step::Priority(_) | Step::Wait) => panic!("{step:?}"),
        }
    }
    engine.exit();
    steps
}

/// Answers the runs of a chain: each of the first `length` tasks awaits a new one, the last is
/// ended by `end`, and all that run after it return.
fn chain(
    length: usize,
    mut end: impl FnMut(&mut Engine<Plain>, TaskId),
) -> impl FnMut(&mut Engine<Plain>, TaskId) {
    let mut started = 0;
    move |engine, task| {
        started += 1;
        match started.cmp(&length) {
            Ordering::Less => {
                let next = engine.add_task(());
                engine.depend(next);
                engine.block(Until::All);
            }
            Ordering::Equal => end(engine, task),
            Ordering::Greater => {
                engine.complete(task);
            }
        }
    }
}

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let small = thread::Builder::new().stack_size(64 * 1024);
    small.spawn(test).expect("a thread").join().expect("the test passes");
}

#[test]
fn a_chain_of_a_million_runs_to_its_end() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        let steps = call(
            &mut engine,
            root,
            chain(MILLION, |engine, task| {
                engine.complete(task);
            }),
        );
        assert_eq!(steps.run, 2 * MILLION - 1);
        assert_eq!(engine.task_count(), 0);
    });
}

#[test]
fn a_chain_of_a_million_is_freed_while_it_waits() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        call(
            &mut engine,
            root,
            chain(MILLION, |engine, _| {
                let promise = engine.add_promise(());
                engine.depend(promise);
                engine.block(Until::All);
                engine.abandon();
            }),
        );
        assert_eq!(engine.task_count(), MILLION + 1);
        drop(engine);
    });
}

#[test]
fn a_chain_is_claimed_by_a_nested_call() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let batch = engine.add_batch((), PriorityRule::BySize);
        let item = engine.add_item(batch).expect("it is open");
        let root = engine.add_task(());
        let first = engine.add_task(());
        let calling = engine.add_task(());
        let mut down = chain(MANY, |engine, _| {
            engine.depend(item);
            engine.block(Until::All);
        });
        let mut inner = Steps::default();
        let steps = call(&mut engine, root, |engine, task| {
            if task == root && engine.task(calling).is_some() {
                engine.depend(first);
                engine.depend(calling);
                engine.block(Until::All);
            } else if task == calling {
                inner = call(engine, first, |engine, task| {
                    engine.complete(task);
                });
                engine.complete(calling);
            } else if task == root {
                engine.complete(root);
            } else {
                down(engine, task);
            }
        });
        // Down in the outer call, the flush and the way up in the inner one.
        assert_eq!((steps.run, steps.flush), (MANY + 3, 0));
        assert_eq!((inner.run, inner.flush), (MANY, 1));
        assert_eq!(engine.task_count(), 0);
    });
}

#[test]
fn a_chain_that_is_stuck_is_reported() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        let steps = call(
            &mut engine,
            root,
            chain(MANY, |engine, task| {
                engine.depend(task);
                engine.block(Until::All);
            }),
        );
        // The victim, which awaits itself, runs once more, and then its waiters.
        assert_eq!(steps.run, 2 * MANY);
        assert_eq!(engine.task_count(), 0);
    });
}

#[test]
fn a_join_of_a_million_tasks() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        let mut asked = false;
        let steps = call(&mut engine, root, |engine, task| {
            if task == root && !asked {
                asked = true;
                for _ in 0..MILLION {
                    let leaf = engine.add_task(());
                    engine.depend(leaf);
                }
                engine.block(Until::All);
            } else {
                engine.complete(task);
            }
        });
        assert_eq!(steps.run, MILLION + 2);
        assert_eq!(engine.task_count(), 0);
    });
}

#[test]
fn a_join_of_a_million_items_is_one_flush() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let batch = engine.add_batch((), PriorityRule::BySize);
        let root = engine.add_task(());
        let steps = call(&mut engine, root, |engine, task| {
            if engine.is_flushed(batch) {
                engine.complete(task);
                return;
            }
            for _ in 0..MILLION {
                let item = engine.add_item(batch).expect("it is open");
                engine.depend(item);
            }
            engine.block(Until::All);
        });
        assert_eq!((steps.run, steps.flush), (2, 1));
    });
}

#[test]
fn many_tasks_await_the_same_one() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let [root, shared] = [(); 2].map(|()| engine.add_task(()));
        let batch = engine.add_batch((), PriorityRule::BySize);
        let item = engine.add_item(batch).expect("it is open");
        let mut asked = false;
        let steps = call(&mut engine, root, |engine, task| {
            if engine.is_flushed(batch) {
                engine.complete(task);
                return;
            }
            if task == shared {
                engine.depend(item);
            } else if asked {
                engine.depend(shared);
            } else {
                asked = true;
                for _ in 0..MANY {
                    let waiting = engine.add_task(());
                    engine.depend(waiting);
                }
            }
            engine.block(Until::All);
        });
        assert_eq!((steps.run, steps.flush), (2 * (MANY + 2), 1));
        assert_eq!(engine.task_count(), 0);
    });
}

#[test]
fn a_task_asks_many_times_for_the_first_of_two() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        let never = engine.add_promise(());
        let mut rounds = 0;
        let steps = call(&mut engine, root, |engine, task| {
            if task == root && rounds < MANY {
                rounds += 1;
                engine.depend(never);
                let next = engine.add_task(());
                engine.depend(next);
                engine.block(Until::Any);
            } else {
                engine.complete(task);
            }
        });
        assert_eq!(steps.run, 2 * MANY + 1);
    });
}

#[test]
fn tasks_that_wait_are_not_run_again_however_many_rounds_there_are() {
    on_a_small_stack(|| {
        const WAITING: usize = MILLION / 100;
        const ROUNDS: usize = MILLION / 1_000 + 1;
        let mut engine = Engine::new();
        let [root, busy] = [(); 2].map(|()| engine.add_task(()));
        let promise = engine.add_promise(());
        let (mut asked, mut rounds) = (false, 0);
        let steps = call(&mut engine, root, |engine, task| {
            if task == root && !asked {
                asked = true;
                for _ in 0..WAITING {
                    let waiting = engine.add_task(());
                    engine.depend(waiting);
                }
                engine.depend(busy);
                engine.block(Until::All);
            } else if task == busy && rounds < ROUNDS {
                rounds += 1;
                let batch = engine.add_batch((), PriorityRule::BySize);
                let item = engine.add_item(batch).expect("it is open");
                engine.depend(item);
                engine.block(Until::All);
            } else if task == busy {
                engine.complete(promise);
                engine.complete(busy);
            } else if engine.is_computed(promise.into()) {
                engine.complete(task);
            } else {
                engine.depend(promise);
                engine.block(Until::All);
            }
        });
        assert_eq!(steps.flush, ROUNDS);
        assert_eq!(steps.run, 2 + 2 * WAITING + ROUNDS + 1);
    });
}

#[test]
fn contexts_inside_each_other() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        let batch = engine.add_batch((), PriorityRule::BySize);
        engine.limit_to_call(batch);
        let item = engine.add_item(batch).expect("it is open");
        let steps = call(&mut engine, root, |engine, task| {
            if engine.is_flushed(batch) {
                engine.complete(task);
                return;
            }
            for _ in 0..MANY {
                engine.enter_context(());
            }
            engine.depend(item);
            engine.block(Until::All);
        });
        // Paused for the flush, resumed after it, paused when the task has ended.
        assert_eq!((steps.pause, steps.resume), (2 * MANY, MANY));
        assert_eq!(engine.active_contexts(), []);
    });
}

#[test]
fn two_long_chains_of_contexts_share_batches() {
    on_a_small_stack(|| {
        let mut engine = Engine::new();
        let root = engine.add_task(());
        call(&mut engine, root, |engine, task| {
            let shared = engine.enter_context(());
            let [left, right] = [(); 2].map(|()| {
                engine.set_scope(shared);
                while engine.switch().is_some() {}
                let chain = (0..MANY).map(|_| engine.enter_context(()).unwrap());
                chain.last()
            });
            for _ in 0..MANY / 10 {
                let batch = engine.add_batch((), PriorityRule::BySize);
                for scope in [left, right].into_iter().cycle().take(10) {
                    // Switched back at once, so nothing is paused or resumed.
                    engine.set_scope(scope);
                    engine.add_item(batch).unwrap();
                }
                engine.set_scope(shared);
                while engine.switch().is_some() {}
                assert!(engine.begin_flush(batch));
                assert_eq!(engine.flush_scope(batch), shared);
                engine.close(batch);
            }
            engine.complete(task);
        });
        assert_eq!(engine.active_contexts(), []);
    });
}
