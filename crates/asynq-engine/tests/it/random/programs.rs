//! Random programs.
//!
//! A program always ends: every task runs its script at most once, and the helper tasks of a source
//! (of which each flush gets a new instance) ask for items of earlier sources only. It need not end
//! well: tasks may await themselves, promises that nobody sets, and each other.

use std::fmt;
use std::ops::Range;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::sim::{
    Context, ContextRef, Fate, Flush, Join, On, Op, Priority, Program, PromiseRef, Source,
    SourceRef, Task, TaskRef,
};

/// A program and what is called from outside, one after the other. The last call is always that of
/// a task that awaits one item of a source that nobody else uses: it shows that the engine still
/// works, whatever happened before.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) roots: Vec<TaskRef>,
}

/// A line for each part, so that one can read what a failed test prints.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "call {:?}", self.roots)?;
        for Task { name, script } in &self.program.tasks {
            writeln!(f, "{name}: {script:?}")?;
        }
        for source in &self.program.sources {
            writeln!(f, "{source:?}")?;
        }
        for context in &self.program.contexts {
            writeln!(f, "{context:?}")?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    tasks: usize,
    promises: usize,
    sources: usize,
    contexts: usize,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    (1..10_usize, 0..3_usize, 1..4_usize, 0..4_usize)
        .prop_map(|(tasks, promises, sources, contexts)| Sizes {
            tasks,
            promises,
            sources,
            contexts,
        })
        .prop_flat_map(|sizes| {
            let tasks: Vec<_> = (0..sizes.tasks).map(|task| script(sizes, task)).collect();
            let helpers: Vec<_> = (0..sizes.sources)
                .map(|source| script(Sizes { sources: source, ..sizes }, sizes.tasks))
                .collect();
            let sources: Vec<_> =
                (0..sizes.sources).map(|index| source(TaskRef(sizes.tasks + index))).collect();
            let contexts = vec(context(), sizes.contexts);
            let roots = vec(0..sizes.tasks, 0..3);
            (Just(sizes), tasks, helpers, sources, contexts, roots)
        })
        .prop_map(|(sizes, tasks, helpers, sources, contexts, roots)| {
            let mut program = Program::new();
            for (index, script) in tasks.into_iter().enumerate() {
                program.task(&format!("t{index}"), script);
            }
            for (index, script) in helpers.into_iter().enumerate() {
                program.task(&format!("h{index}"), script);
            }
            for index in 0..sizes.promises {
                program.promise(&format!("p{index}"));
            }
            program.sources = sources;
            for (index, source) in program.sources.iter_mut().enumerate() {
                source.name = format!("s{index}");
            }
            program.contexts = contexts;
            for (index, context) in program.contexts.iter_mut().enumerate() {
                context.name = format!("c{index}");
            }
            let last = program.source("last");
            let after = program.task("after", [Op::Await(vec![last.item(1)], Join::All)]);
            let roots = [0].into_iter().chain(roots).map(TaskRef).chain([after]).collect();
            Case { program, roots }
        })
}

fn script(sizes: Sizes, own: usize) -> impl Strategy<Value = Vec<Op>> {
    let part = prop_oneof![
        12 => op(sizes, own).prop_map(|op| vec![op]),
        1 => computed_before_it_waits(sizes, own),
    ];
    vec(part, 1..7).prop_map(|parts| parts.concat())
}

/// A task names something, has it computed, and waits for it nevertheless.
fn computed_before_it_waits(sizes: Sizes, own: usize) -> impl Strategy<Value = Vec<Op>> {
    let others = || vec(on(sizes, own), 0..3);
    (on(sizes, own), others(), any::<bool>(), others(), join()).prop_map(
        |(on, mut named, cancel, awaited, join)| {
            let compute = match on {
                On::Task(task) if cancel => Op::Cancel(task),
                On::Task(task) => Op::Call(task),
                On::Promise(promise) => Op::Set(promise, Ok(1)),
                On::Item(source, _) => Op::Flush(source),
            };
            named.push(on);
            vec![Op::Depend(named), compute, Op::Await(awaited, join)]
        },
    )
}

fn op(sizes: Sizes, own: usize) -> impl Strategy<Value = Op> {
    let promise = index(0..sizes.promises).prop_map(PromiseRef);
    let context = index(0..sizes.contexts).prop_map(ContextRef);
    let task = task(sizes, own);
    let flush = index(0..sizes.sources).prop_map(|source| Op::Flush(SourceRef(source)));
    let outcome = prop_oneof![3 => (0..9_i64).prop_map(Ok), 1 => Just(Err("bad promise".into()))];
    let error = (0..3).prop_map(|number| format!("error {number}"));
    let on_list = prop_oneof![
        1 => Just(Vec::new()),
        20 => vec(on(sizes, own), 1..5),
    ];
    let awaiting = (on_list, join()).prop_map(|(on, join)| Op::Await(on, join));
    // An operation that is impossible (a promise where there is none) becomes an addition.
    let add = || (1..9_i64).prop_map(Op::Add).boxed();
    let needs = |count: usize, op: BoxedStrategy<Op>| if count == 0 { add() } else { op };
    let depending = vec(on(sizes, own), 1..3).prop_map(Op::Depend);
    prop_oneof![
        12 => awaiting,
        3 => depending,
        1 => task.clone().prop_map(Op::Wake),
        4 => task.clone().prop_map(Op::Call),
        6 => needs(sizes.contexts, context.clone().prop_map(Op::Enter).boxed()),
        1 => needs(sizes.contexts, context.prop_map(Op::Leave).boxed()),
        3 => needs(sizes.promises, (promise, outcome).prop_map(|(on, to)| Op::Set(on, to)).boxed()),
        1 => task.prop_map(Op::Cancel),
        1 => needs(sizes.sources, flush.boxed()),
        1 => error.prop_map(Op::Fail),
        1 => add(),
        3 => Just(Op::Catch),
    ]
    .prop_perturb(|op, mut random| if random.random_ratio(1, 80) { Op::GiveUp } else { op })
}

fn join() -> impl Strategy<Value = Join> {
    prop_oneof![
        6 => Just(Join::All),
        2 => Just(Join::Any),
        1 => (0..4_u32).prop_map(Join::AnyOrWake),
    ]
}

fn on(sizes: Sizes, own: usize) -> impl Strategy<Value = On> {
    let task = || task(sizes, own).prop_map(On::Task).boxed();
    let promise = index(0..sizes.promises).prop_map(|index| On::Promise(PromiseRef(index)));
    let item = (index(0..sizes.sources), 0..5_i64)
        .prop_map(|(source, key)| On::Item(SourceRef(source), key));
    prop_oneof![
        5 => task(),
        1 => if sizes.promises == 0 { task() } else { promise.boxed() },
        5 => if sizes.sources == 0 { task() } else { item.boxed() },
    ]
}

/// Mostly one of the next numbers: so most programs end without a deadlock, and share tasks.
fn task(sizes: Sizes, own: usize) -> BoxedStrategy<TaskRef> {
    let any = index(0..sizes.tasks).prop_map(TaskRef);
    if own + 1 < sizes.tasks {
        let next = own + 1..sizes.tasks.min(own + 4);
        prop_oneof![12 => next.prop_map(TaskRef), 1 => any].boxed()
    } else {
        any.boxed()
    }
}

/// An index into a list that may be empty, as long as nobody asks for one.
fn index(range: Range<usize>) -> Range<usize> {
    range.start..range.end.max(range.start + 1)
}

fn source(helper: TaskRef) -> impl Strategy<Value = Source> {
    let priority = prop_oneof![
        2 => Just(Priority::BySize),
        1 => vec(-2..3_i64, 1..4).prop_map(Priority::Asked),
    ];
    let flush = prop_oneof![
        4 => Just(Flush::Now),
        2 => (0..4_u32).prop_map(Flush::Later),
        1 => Just(Flush::Carried(helper)),
        1 => Just(Flush::Calls(helper)),
    ];
    let fate = prop_oneof![Just(Fate::Error), Just(Fate::Forgotten), Just(Fate::Breaks)];
    let limited = prop_oneof![3 => Just(false), 1 => Just(true)];
    (priority, flush, limited, btree_map(0..5_i64, fate, 0..2)).prop_map(
        |(priority, flush, is_limited_to_call, fates)| Source {
            name: String::new(),
            priority,
            flush,
            is_limited_to_call,
            fates,
        },
    )
}

fn context() -> impl Strategy<Value = Context> {
    let nth = || prop_oneof![4 => Just(None), 1 => (1..4_usize).prop_map(Some)];
    let kept_out = prop_oneof![4 => Just(false), 1 => Just(true)];
    (kept_out, nth(), nth()).prop_map(|(is_kept_out_of_flushes, failing_pause, failing_resume)| {
        let name = String::new();
        Context { name, is_kept_out_of_flushes, failing_pause, failing_resume }
    })
}
