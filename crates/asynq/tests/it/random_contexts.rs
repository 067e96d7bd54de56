//! Random programs of several requests with contexts: each piece of code reads the value that its
//! own chain of contexts gives, whatever else the thread drives.
//!
//! The oracle is naive: each context has a value of its own, and each piece of code carries the
//! values of its chain, of which the innermost counts that was not left. A task has the chain of the first who asked for it, and each key stands for
//! the chain of its asker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

use asynq::{
    AsyncTask, FutureBase, Items, ScopedOverride, ScopedValue, Source, all, call_with_context,
    with_context,
};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{By, Later, assert_usable, source};

/// The values of the contexts around a piece of code, the outermost first.
type Chain = Vec<u32>;

#[derive(Clone, Debug)]
enum Step {
    /// Asks a source for the key that stands for its chain.
    Item(usize),
    /// The same, in a synchronous call.
    CallItem(usize),
    /// Awaits a shared task, or calls it.
    Await(usize),
    Call(usize),
    /// Runs the steps within a context of its own, or in a plain call within one.
    Within(Vec<Step>),
    CallWithin(usize),
    Join(Vec<Step>, Vec<Step>),
    /// Goes on with the first, and drops the other.
    Select(Vec<Step>, Vec<Step>),
    /// Awaits shared tasks in a queue with wakers of its own.
    Queue(Vec<usize>),
    /// Lets others run.
    Yield,
    Cancel(usize),
}

/// A task that several may ask for.
struct Shared {
    task: RefCell<Option<AsyncTask<()>>>,
    chain: RefCell<Option<Chain>>,
}

#[derive(Clone)]
struct World {
    value: ScopedValue<u32>,
    sources: Rc<Vec<Source<By<()>>>>,
    remote: Rc<Vec<Source<By<Later>>>>,
    shared: Rc<Vec<Shared>>,
    wrong: Rc<RefCell<Vec<String>>>,
    /// The chains of the keys.
    chains: Rc<RefCell<Vec<Chain>>>,
    last_value: Rc<Cell<u32>>,
    /// The values of contexts that were entered and not left.
    entered: Rc<RefCell<BTreeSet<u32>>>,
}

/// Guard of a context that is entered.
struct Entered {
    world: World,
    value: u32,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.world.entered.borrow_mut().remove(&self.value);
    }
}

impl World {
    fn new(programs: &[Vec<Step>]) -> Self {
        let (value, wrong) = (ScopedValue::new(0), Rc::<RefCell<Vec<String>>>::default());
        let chains = Rc::<RefCell<Vec<Chain>>>::default();
        let check = {
            let (value, wrong, chains) = (value.clone(), Rc::clone(&wrong), Rc::clone(&chains));
            move |keys: &[u32]| {
                let (seen, chains) = (value.get(), chains.borrow());
                let is_in = |&key: &u32| chains[key as usize].contains(&seen);
                if seen != 0 && !keys.iter().all(is_in) {
                    wrong.borrow_mut().push(format!("a flush of {keys:?} sees {seen}"));
                }
            }
        };
        let here = check.clone();
        let sources = vec![source("here", move |items: Items<By<()>>| {
            here(items.keys());
            items.set_values(|&key| Some(key));
        })];
        let remote = vec![source("remote", move |items| -> Later {
            let check = check.clone();
            Box::pin(async move {
                check(items.keys());
                yield_now().await;
                check(items.keys());
                items.set_values(|&key| Some(key));
            })
        })];
        let empty = || Shared { task: RefCell::default(), chain: RefCell::default() };
        let world = Self {
            value,
            sources: Rc::new(sources),
            remote: Rc::new(remote),
            shared: Rc::new(programs.iter().map(|_| empty()).collect()),
            wrong,
            chains,
            last_value: Rc::default(),
            entered: Rc::default(),
        };
        for (index, steps) in programs.iter().enumerate() {
            let (this, steps) = (world.clone(), steps.clone());
            let task = AsyncTask::new(async move {
                let chain = this.shared[index].chain.borrow().clone().expect("somebody has asked");
                this.run(index, steps, chain).await;
            });
            *world.shared[index].task.borrow_mut() = Some(task);
        }
        world
    }

    /// Asks for a task that comes before `own`, so that none waits for itself.
    fn ask(&self, own: usize, number: usize, chain: &Chain) -> Option<AsyncTask<()>> {
        let shared = &self.shared[number.checked_rem(own)?];
        let task = shared.task.borrow().clone()?;
        shared.chain.borrow_mut().get_or_insert_with(|| chain.clone());
        Some(task)
    }

    fn key(&self, chain: &Chain) -> u32 {
        let mut chains = self.chains.borrow_mut();
        chains.push(chain.clone());
        u32::try_from(chains.len() - 1).expect("few keys")
    }

    /// A new context inside `chain`.
    fn enter(&self, chain: &Chain) -> (ScopedOverride<u32>, Chain, Entered) {
        let value = self.last_value.get() + 1;
        self.last_value.set(value);
        self.entered.borrow_mut().insert(value);
        let inside = chain.iter().copied().chain([value]).collect();
        (self.value.override_with(value), inside, Entered { world: self.clone(), value })
    }

    fn check(&self, chain: &Chain, after: &Step) {
        let seen = self.value.get();
        let entered = self.entered.borrow();
        let expected = chain.iter().rfind(|value| entered.contains(value)).copied().unwrap_or(0);
        if seen != expected {
            self.wrong.borrow_mut().push(format!("{seen} instead of {chain:?} after {after:?}"));
        }
    }

    fn run(&self, own: usize, steps: Vec<Step>, chain: Chain) -> Pin<Box<dyn Future<Output = ()>>> {
        let this = self.clone();
        Box::pin(async move {
            for step in steps {
                this.step(own, step.clone(), &chain).await;
                this.check(&chain, &step);
            }
        })
    }

    async fn step(&self, own: usize, step: Step, chain: &Chain) {
        match step {
            Step::Item(0) => drop(self.sources[0].item(self.key(chain)).await),
            Step::Item(_) => drop(self.remote[0].item(self.key(chain)).await),
            Step::CallItem(0) => drop(self.sources[0].item(self.key(chain)).value()),
            Step::CallItem(_) => drop(self.remote[0].item(self.key(chain)).value()),
            Step::Await(number) => {
                if let Some(task) = self.ask(own, number, chain) {
                    outcome(task).await;
                }
            }
            Step::Call(number) => {
                if let Some(task) = self.ask(own, number, chain) {
                    drop(task.outcome());
                }
            }
            Step::Within(steps) => {
                let (context, inside, _entered) = self.enter(chain);
                with_context(context, self.run(own, steps, inside)).await;
            }
            Step::CallWithin(number) => {
                let (context, inside, _entered) = self.enter(chain);
                call_with_context(context, || {
                    if let Some(task) = self.ask(own, number, &inside) {
                        drop(task.outcome());
                    }
                    self.check(&inside, &Step::Call(number));
                });
            }
            Step::Join(left, right) => {
                let branches = [left, right].map(|steps| self.run(own, steps, chain.clone()));
                join_all(branches).await;
            }
            Step::Select(left, right) => {
                let [left, right] = [left, right].map(|steps| self.run(own, steps, chain.clone()));
                select(left, right).await;
            }
            Step::Queue(numbers) => {
                let tasks = numbers.into_iter().filter_map(|n| self.ask(own, n, chain));
                let mut queue: FuturesUnordered<_> = tasks.map(outcome).collect();
                while queue.next().await.is_some() {}
            }
            Step::Yield => yield_now().await,
            Step::Cancel(number) => {
                if let Some(number) = number.checked_rem(own)
                    && let Some(task) = self.shared[number].task.take()
                {
                    task.cancel();
                }
            }
        }
    }
}

/// The end of a task, cancelled or not.
async fn outcome(task: AsyncTask<()>) -> bool {
    AssertUnwindSafe(task).catch_unwind().await.is_ok()
}

/// Waits until it is polled again.
fn yield_now() -> impl Future<Output = ()> {
    let mut polled = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut polled, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
}

fn step() -> impl Strategy<Value = Step> {
    let any = || any::<usize>();
    let leaf = prop_oneof![
        4 => (0..2_usize).prop_map(Step::Item),
        2 => (0..2_usize).prop_map(Step::CallItem),
        4 => any().prop_map(Step::Await),
        3 => any().prop_map(Step::Call),
        1 => any().prop_map(Step::CallWithin),
        2 => vec(any(), 1..4).prop_map(Step::Queue),
        2 => Just(Step::Yield),
        1 => any().prop_map(Step::Cancel),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let steps = || vec(inner.clone(), 1..4);
        prop_oneof![
            3 => steps().prop_map(Step::Within),
            1 => (steps(), steps()).prop_map(|(left, right)| Step::Join(left, right)),
            1 => (steps(), steps()).prop_map(|(left, right)| Step::Select(left, right)),
        ]
    })
}

fn programs() -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(vec(step(), 0..4), 2..9)
}

proptest! {
    // What a run finds becomes a named test, which tells more than a seed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_piece_of_code_reads_the_value_of_its_own_chain(
        programs in programs(),
        outside in any::<bool>(),
    ) {
        let world = World::new(&programs);
        let count = programs.len();
        let requests: Vec<_> = (0..3)
            .map(|request| {
                let steps = vec![Step::Queue(vec![count - 1, request]), Step::Call(request + 1)];
                let chain = Chain::new();
                let steps = if request == 0 { steps } else { vec![Step::Within(steps)] };
                AsyncTask::new(world.run(count, steps, chain))
            })
            .collect();
        if outside {
            block_on(join_all(requests.into_iter().map(outcome)));
        } else {
            drop(AsyncTask::new(all(requests)).outcome());
        }
        prop_assert_eq!(&*world.wrong.borrow(), &Vec::<String>::new());
        prop_assert_eq!(world.value.get(), 0);
        for shared in &*world.shared {
            drop(shared.task.take());
        }
        assert_usable();
    }
}
