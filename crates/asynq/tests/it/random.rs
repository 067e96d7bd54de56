//! Random programs: their values against a plain recursive evaluation, their batches against the
//! longest path.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;

use asynq::{
    AsyncContext, AsyncTask, BatchError, FutureBase, ScopedValue, Source, TaskErrorKind, all,
    debug, with_context,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{self, By, assert_usable, source};

/// A program: a task for each node, which may ask only for nodes before its own.
type Program = Vec<Node>;

#[derive(Clone, Debug)]
struct Node {
    steps: Vec<Step>,
    /// Within a context in which the level is this.
    level: Option<u32>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Asks a source for a key; keys that are multiples of 7 have errors.
    Item { source: usize, key: u32, how: How },
    /// Asks for other nodes.
    Nodes { on: Vec<usize>, how: How },
    /// Waits for a round.
    Wait,
    /// Fails with an error.
    Fail(u32),
    /// Fails with a panic.
    Panic(u32),
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// Awaited; errors and panics are passed on.
    Await,
    /// Called synchronously; errors and panics are passed on.
    Call,
    /// Called synchronously; errors and panics become values.
    Catch,
}

/// Outcome of a node.
type Outcome = Result<u64, Failure>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Error(u32),
    Panic(u32),
}

const SOURCES: usize = 3;

fn value_of(source: usize, key: u32) -> Result<u32, u32> {
    if key.is_multiple_of(7) { Err(key) } else { Ok(key * 10 + u32::try_from(source).unwrap()) }
}

fn add(sum: &mut u64, outcome: Outcome) {
    let value = match outcome {
        Ok(value) => value,
        Err(Failure::Error(error)) => 1_000 + u64::from(error),
        Err(Failure::Panic(panic)) => 2_000 + u64::from(panic),
    };
    *sum = sum.wrapping_mul(31).wrapping_add(value);
}

/// The nodes that node `index` means by `on`.
fn before(index: usize, on: &[usize]) -> impl Iterator<Item = usize> {
    on.iter().filter_map(move |on| on.checked_rem(index))
}

/// Returns the outcomes of the nodes, evaluated one after the other.
fn evaluate(program: &Program) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for node in program {
        let outcome = evaluate_node(node, &outcomes);
        outcomes.push(outcome);
    }
    outcomes
}

fn evaluate_node(node: &Node, earlier: &[Outcome]) -> Outcome {
    let mut sum = 0;
    for step in &node.steps {
        match step {
            Step::Item { source, key, how } => {
                let outcome = value_of(*source, *key).map(u64::from).map_err(Failure::Error);
                pass(&mut sum, *how, outcome)?;
            }
            Step::Nodes { on, how: How::Await } => {
                let outcomes: Vec<_> = before(earlier.len(), on).map(|on| earlier[on]).collect();
                // A join panics with the first panic, before anybody looks at the values.
                for &outcome in &outcomes {
                    if let Err(Failure::Panic(_)) = outcome {
                        return outcome;
                    }
                }
                for outcome in outcomes {
                    pass(&mut sum, How::Await, outcome)?;
                }
            }
            Step::Nodes { on, how } => {
                for on in before(earlier.len(), on) {
                    pass(&mut sum, *how, earlier[on])?;
                }
            }
            Step::Wait => {}
            Step::Fail(error) => return Err(Failure::Error(*error)),
            Step::Panic(panic) => return Err(Failure::Panic(*panic)),
        }
    }
    Ok(sum)
}

fn pass(sum: &mut u64, how: How, outcome: Outcome) -> Result<(), Failure> {
    if let (Err(failure), How::Await | How::Call) = (outcome, how) {
        return Err(failure);
    }
    add(sum, outcome);
    Ok(())
}

/// State that the tasks of a run share.
#[derive(Clone)]
struct World {
    sources: Rc<Vec<Source<By<()>>>>,
    level: ScopedValue<u32>,
    /// For each source, the levels of the nodes that have asked for an item of the open batch.
    levels: Rc<RefCell<[Vec<u32>; SOURCES]>>,
    /// Violations that the tasks have found.
    wrong: Rc<RefCell<Vec<String>>>,
    batches: Rc<RefCell<Vec<Vec<u32>>>>,
}

impl World {
    fn new() -> Self {
        let level = ScopedValue::new(0);
        let (wrong, batches) = (Rc::default(), Rc::default());
        let (sources, levels) = (Rc::default(), Rc::default());
        let mut world = Self { sources, level, levels, wrong, batches };
        let sources = (0..SOURCES).map(|index| {
            let world = world.clone();
            source(["a", "b", "c"][index], move |items| {
                let levels = std::mem::take(&mut world.levels.borrow_mut()[index]);
                let seen = world.level.get();
                let is_common = levels.iter().all(|&level| level == seen);
                world.check(seen == 0 || is_common, "a flush in a context of one of several");
                world.batches.borrow_mut().push(items.keys().to_vec());
                for item in &items {
                    match value_of(index, *item.key()) {
                        Ok(value) => item.set_value(value),
                        Err(key) => item.set_error(key.to_string()),
                    }
                }
            })
        });
        world.sources = Rc::new(sources.collect());
        world
    }

    fn check(&self, holds: bool, what: &str) {
        if !holds {
            self.wrong.borrow_mut().push(what.to_owned());
        }
    }
}

/// A context that expects to be resumed and paused in turn.
struct InTurn {
    world: World,
    active: Cell<bool>,
}

impl AsyncContext for InTurn {
    fn resume(&self) {
        self.world.check(!self.active.replace(true), "resumed twice");
    }

    fn pause(&self) {
        self.world.check(self.active.replace(false), "paused twice");
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        self.world.check(!self.active.get(), "never paused");
    }
}

type NodeTask = AsyncTask<Result<u64, u32>>;

/// A task for each node of `program`.
fn tasks(program: &Program, world: &World) -> Vec<NodeTask> {
    let mut tasks: Vec<NodeTask> = Vec::new();
    for node in program {
        let body = run(node.steps.clone(), node.level, tasks.clone(), world.clone());
        tasks.push(match node.level {
            Some(level) => {
                let in_turn = InTurn { world: world.clone(), active: Cell::new(false) };
                let inner = with_context(world.level.override_with(level), body);
                AsyncTask::new(with_context(in_turn, inner))
            }
            None => AsyncTask::new(body),
        });
    }
    tasks
}

async fn run(
    steps: Vec<Step>,
    level: Option<u32>,
    earlier: Vec<NodeTask>,
    world: World,
) -> Result<u64, u32> {
    let mut sum = 0;
    for step in steps {
        match step {
            Step::Item { source, key, how } => {
                let item = world.sources[source].item(key);
                world.levels.borrow_mut()[source].extend(level);
                let value = match how {
                    How::Await => item.await,
                    How::Call | How::Catch => item.value(),
                };
                go_on(&mut sum, how, value.map(u64::from).map_err(|error| key_of(&error)))?;
            }
            Step::Nodes { on, how: How::Await } => {
                let nodes = before(earlier.len(), &on).map(|on| earlier[on].clone());
                for value in all(nodes).await {
                    go_on(&mut sum, How::Await, value)?;
                }
            }
            Step::Nodes { on, how } => {
                for on in before(earlier.len(), &on) {
                    match outcome(&earlier[on]) {
                        Err(Failure::Panic(panic)) if matches!(how, How::Call) => throw(panic),
                        Err(Failure::Error(error)) if matches!(how, How::Call) => {
                            return Err(error);
                        }
                        outcome => add(&mut sum, outcome),
                    }
                }
            }
            Step::Wait => debug::sync().await,
            Step::Fail(error) => return Err(error),
            Step::Panic(panic) => throw(panic),
        }
        if let Some(level) = level {
            world.check(world.level.get() == level, "a level that is not its own");
        }
    }
    Ok(sum)
}

fn go_on(sum: &mut u64, how: How, value: Result<u64, u32>) -> Result<(), u32> {
    match (value, how) {
        (Err(error), How::Await | How::Call) => return Err(error),
        (value, _) => add(sum, value.map_err(Failure::Error)),
    }
    Ok(())
}

/// Panics without a word on standard error.
fn throw(panic: u32) -> ! {
    resume_unwind(Box::new(panic.to_string()))
}

fn key_of(error: &BatchError) -> u32 {
    let asynq::BatchErrorKind::Failed(cause) = error.kind() else { panic!("{error}") };
    cause.to_string().parse().unwrap()
}

/// Calls a node.
fn outcome(task: &NodeTask) -> Outcome {
    match task.clone().outcome() {
        Ok(value) => value.map_err(Failure::Error),
        Err(error) => {
            assert_eq!(error.kind(), TaskErrorKind::Panicked, "{error}");
            Err(Failure::Panic(error.message().parse().expect("our own panic")))
        }
    }
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![6 => Just(How::Await), 1 => Just(How::Call), 2 => Just(How::Catch)]
}

fn step() -> impl Strategy<Value = Step> {
    let item = (0..SOURCES, 0..50_u32, how()).prop_map(|(source, key, how)| Step::Item {
        source,
        key,
        how,
    });
    let nodes = (vec(any::<usize>(), 0..4), how()).prop_map(|(on, how)| Step::Nodes { on, how });
    prop_oneof![
        8 => item,
        8 => nodes,
        2 => Just(Step::Wait),
        1 => (0..100_u32).prop_map(Step::Fail),
        1 => (0..100_u32).prop_map(Step::Panic),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    let node = (vec(step(), 0..5), proptest::option::weighted(0.3, 1..10_u32))
        .prop_map(|(steps, level)| Node { steps, level });
    vec(node, 1..16)
}

/// Generates nodes, each as the earlier nodes that it awaits before it requests one key.
fn layers() -> impl Strategy<Value = Vec<Vec<usize>>> {
    vec(vec(any::<usize>(), 0..4), 1..40)
}

proptest! {
    // A failure becomes a named test, which says more than a stored seed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_ends_with_what_a_plain_evaluation_gives(program in program()) {
        let world = World::new();
        let tasks = tasks(&program, &world);
        // Everything at once; a panic comes out, and is looked at below.
        let _ = AsyncTask::new(all(tasks.clone())).outcome();
        let outcomes: Vec<_> = tasks.iter().map(outcome).collect();
        drop(tasks);
        prop_assert_eq!(outcomes, evaluate(&program));
        prop_assert_eq!(&*world.wrong.borrow(), &Vec::<String>::new());
        prop_assert_eq!(world.level.get(), 0);
        assert_usable();
    }

    #[test]
    fn a_program_makes_the_same_batches_every_time(program in program()) {
        let run = || {
            let world = World::new();
            let _ = AsyncTask::new(all(tasks(&program, &world))).outcome();
            world.batches.take()
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn a_program_given_up_half_way_leaves_nothing_active(program in program(), rounds in 0..4_usize) {
        let world = World::new();
        let mut running = AsyncTask::new(all(tasks(&program, &world)));
        let gives_up = AsyncTask::new(async move {
            if common::poll_once(&mut running).await.is_pending() {
                for _ in 0..rounds {
                    debug::sync_in("rounds").await;
                }
            }
        });
        // It panics if what it polls has panicked by then.
        let _ = gives_up.outcome();
        prop_assert_eq!(&*world.wrong.borrow(), &Vec::<String>::new());
        prop_assert_eq!(world.level.get(), 0);
        assert_usable();
    }

    #[test]
    fn with_one_source_the_batches_are_as_many_as_the_longest_path(layers in layers()) {
        let world = World::new();
        let mut tasks: Vec<AsyncTask<u32>> = Vec::new();
        let mut depths: Vec<usize> = Vec::new();
        for on in &layers {
            let on: Vec<_> = before(tasks.len(), on).collect();
            depths.push(1 + on.iter().map(|&on| depths[on]).max().unwrap_or(0));
            let (joined, world) = (all(on.into_iter().map(|on| tasks[on].clone())), world.clone());
            tasks.push(AsyncTask::new(async move {
                joined.await;
                world.sources[0].item(1).await.unwrap()
            }));
        }
        all(tasks).value();
        let sizes: Vec<_> = world.batches.take().iter().map(Vec::len).collect();
        let expected: Vec<_> = (1..=*depths.iter().max().unwrap())
            .map(|depth| depths.iter().filter(|&&d| d == depth).count())
            .collect();
        prop_assert_eq!(sizes, expected);
    }
}
