//! The cost of a step in programs of different sizes.
//!
//! `cargo bench -p asynq-engine --bench rounds` prints the tables and writes them to
//! `benchmarks/engine-rounds.md`. Without `--bench` (as `cargo test --benches` runs it) everything
//! is done once, on a hundredth of the work, and nothing is written.

use std::fmt::Write as _;
use std::time::{Duration, Instant};
use std::{env, fs};

use asynq_engine::{Dependency, Engine, Host, PriorityRule, Step, TaskId, Until};

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benchmarks/engine-rounds.md");

const REPETITIONS: usize = 11;

struct Bench;

impl Host for Bench {
    type Task = Job;
    type Batch = ();
    type Context = ();
    type Priority = (i64, usize);
}

#[derive(Clone, Copy)]
enum Job {
    /// Awaits everything else of the program.
    Root,
    /// Awaits a hundred leaves.
    Branch,
    /// Waits for ever, or returns at once.
    Leaf,
    /// Asks for one item after the other.
    Busy,
}

fn main() {
    let measuring = env::args().any(|argument| argument == "--bench");
    let (repetitions, part) = if measuring { (REPETITIONS, 1) } else { (1, 100) };
    let mut report = String::from(
        "# What a step of the engine costs\n\n\
         Repeat with: `cargo bench -p asynq-engine --bench rounds`\n\n\
         A step is one answer of `Engine::next` (run a task, flush a batch) together with what the\n\
         driver tells the engine in return. Each figure is the median of the repetitions, in\n\
         brackets the least and the greatest; the rows take turns in every repetition, and do the\n\
         same number of steps in each. Absolute times are those of one machine: compare the rows.\n",
    );
    for table in [
        Table {
            title: "Rounds grow, the work of a round stays",
            text: "A tree of 10,100 tasks is blocked throughout. Beside it 100 tasks ask for one\n\
                   item each, round after round, each round one flush. Only the rounds are timed.",
            unit: "rounds",
            sizes: &[10, 100, 1_000],
            steps: 404_000 / part,
            measure: rounds,
        },
        Table {
            title: "One join grows",
            text: "A task awaits so many tasks together, each of which returns at once.",
            unit: "tasks in the join",
            sizes: &[1_000, 10_000, 100_000, 1_000_000],
            steps: 1_000_000 / part,
            measure: join,
        },
        Table {
            title: "Open batches grow",
            text: "As many tasks, each with a source of its own, ask for one item again and again,\n\
                   so that each flush has to be chosen among all these batches (in a search tree).",
            unit: "open batches",
            sizes: &[10, 100, 1_000, 10_000],
            steps: 400_000 / part,
            measure: sources,
        },
    ] {
        report += &table.run(repetitions);
    }
    print!("{report}");
    if measuring {
        fs::write(REPORT, report).expect("the directory `benchmarks` is there");
    }
}

struct Table {
    title: &'static str,
    text: &'static str,
    unit: &'static str,
    sizes: &'static [usize],
    /// Minimum number of steps that a row takes in each repetition.
    steps: usize,
    /// Runs a program of this size once: how many steps were timed, and how long they took.
    measure: fn(usize) -> (usize, Duration),
}

impl Table {
    fn run(&self, repetitions: usize) -> String {
        let mut times = vec![Vec::new(); self.sizes.len()];
        for _ in 0..repetitions {
            for (&size, times) in self.sizes.iter().zip(&mut times) {
                times.push(self.time_per_step(size));
            }
        }
        let mut lines = format!(
            "\n## {}\n\n{}\n\n| {} | ns per step | to the first row |\n|---:|---:|---:|\n",
            self.title, self.text, self.unit
        );
        let mut first = None;
        for (&size, times) in self.sizes.iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            let median = times[times.len() / 2];
            let (least, greatest) = (times[0], times[times.len() - 1]);
            let ratio = median / *first.get_or_insert(median);
            writeln!(
                lines,
                "| {} | {median:.1} ({least:.1} to {greatest:.1}) | {ratio:.2} |",
                thousands(size)
            )
            .expect("a string takes it");
        }
        lines
    }

    /// In nanoseconds, over as many programs as it takes to do enough steps.
    fn time_per_step(&self, size: usize) -> f64 {
        let (mut steps, mut time) = (0, Duration::ZERO);
        while steps < self.steps {
            let (more, longer) = (self.measure)(size);
            steps += more;
            time += longer;
        }
        let steps = u32::try_from(steps).expect("fewer than 2³² steps");
        time.as_secs_f64() * 1e9 / f64::from(steps)
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(",")
}

fn rounds(rounds: usize) -> (usize, Duration) {
    let mut engine = Engine::<Bench>::new();
    let never = engine.add_promise(Job::Leaf);
    let mut batch = engine.add_batch((), PriorityRule::BySize);
    let mut round = 1;
    call(&mut engine, None, |engine, task, job| match job {
        Job::Root => {
            let children = [[Job::Branch; 100], [Job::Busy; 100]];
            wait_for_tasks(engine, children.into_iter().flatten());
        }
        Job::Branch => wait_for_tasks(engine, [Job::Leaf; 100]),
        Job::Leaf => wait_for(engine, never.into()),
        Job::Busy if engine.is_flushed(batch) && round == rounds => end(engine, task),
        Job::Busy => {
            if engine.is_flushed(batch) {
                round += 1;
                batch = engine.add_batch((), PriorityRule::BySize);
            }
            let item = engine.add_item(batch).expect("it is open");
            wait_for(engine, item.into());
        }
    })
}

fn join(width: usize) -> (usize, Duration) {
    let mut engine = Engine::<Bench>::new();
    let mut asked = false;
    call(&mut engine, Some(Instant::now()), |engine, task, job| match job {
        Job::Root if !asked => {
            asked = true;
            wait_for_tasks(engine, (0..width).map(|_| Job::Leaf));
        }
        _ => {
            engine.complete(task);
        }
    })
}

fn sources(sources: usize) -> (usize, Duration) {
    let mut engine = Engine::<Bench>::new();
    let mut rest = 10 * sources;
    call(&mut engine, None, |engine, task, job| match job {
        Job::Root => wait_for_tasks(engine, (0..sources).map(|_| Job::Busy)),
        _ if rest == 0 => end(engine, task),
        _ => {
            rest -= 1;
            let batch = engine.add_batch((), PriorityRule::BySize);
            let item = engine.add_item(batch).expect("it is open");
            wait_for(engine, item.into());
        }
    })
}

/// Calls a new root. Returns how many steps it took since `begin`, or since the first flush, and
/// how long they took.
fn call(
    engine: &mut Engine<Bench>,
    mut begin: Option<Instant>,
    mut run: impl FnMut(&mut Engine<Bench>, TaskId, Job),
) -> (usize, Duration) {
    let mut steps = 0;
    let root = engine.add_task(Job::Root);
    engine.enter(root);
    loop {
        match engine.next() {
            Step::Run(task) => {
                let job = *engine.task(task).expect("it has not ended");
                run(engine, task, job);
            }
            Step::Flush(batch) => {
                begin.get_or_insert_with(Instant::now);
                engine.close(batch);
            }
            Step::Done => break,
            step => unreachable!("{step:?}"),
        }
        steps += usize::from(begin.is_some());
    }
    let time = begin.expect("there was a flush").elapsed();
    engine.exit();
    (steps, time)
}

fn wait_for(engine: &mut Engine<Bench>, on: Dependency) {
    engine.depend(on);
    engine.block(Until::All);
}

fn wait_for_tasks(engine: &mut Engine<Bench>, jobs: impl IntoIterator<Item = Job>) {
    for job in jobs {
        let task = engine.add_task(job);
        engine.depend(task);
    }
    engine.block(Until::All);
}

/// Ends the call where the measurement ends, without waking all that is blocked.
fn end(engine: &mut Engine<Bench>, task: TaskId) {
    engine.abandon();
    engine.complete(task);
}
