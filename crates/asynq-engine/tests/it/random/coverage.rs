//! The cases that random programs reach, so that the generator cannot go blind unnoticed.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::model::{self, Told};
use super::programs::case;

/// One thing that happened, and at which depth of calls.
struct Line<'a> {
    depth: usize,
    text: &'a str,
}

fn lines(told: &Told) -> impl Iterator<Item = Line<'_>> {
    told.log.lines().map(|line| {
        let text = line.trim_start();
        Line { depth: (line.len() - text.len()) / 2, text }
    })
}

fn says(told: &Told, what: &str) -> bool {
    told.log.contains(what)
}

/// Returns whether some line in a call within a call begins so.
fn says_inside(told: &Told, what: &str) -> bool {
    lines(told).any(|line| line.depth > 0 && line.text.starts_with(what))
}

/// Returns whether a task goes on in an inner call although a task of an outer one has awaited it.
fn outer_task_runs_inside(told: &Told) -> bool {
    let awaited: Vec<_> = lines(told)
        .enumerate()
        .filter_map(|(at, line)| Some((at, line.depth, line.text.split_once(" awaits ")?.1)))
        .collect();
    lines(told).enumerate().any(|(at, line)| {
        let Some((task, _)) = line
            .text
            .split_once(' ')
            .filter(|(_, rest)| rest.starts_with("starts") || rest.starts_with("gets"))
        else {
            return false;
        };
        awaited.iter().any(|&(before, depth, on)| {
            before < at
                && depth < line.depth
                && on.trim_matches(['[', ']']).split(", ").any(|on| on == task)
        })
    })
}

/// Returns whether several tasks have awaited the same one.
fn task_is_shared(told: &Told) -> bool {
    let mut awaited: Vec<_> = lines(told)
        .filter_map(|line| line.text.split_once(" awaits ["))
        .flat_map(|(waiter, on)| {
            let on = on.trim_end_matches(']').split(", ");
            on.filter(|on| on.starts_with('t')).map(move |on| (on, waiter))
        })
        .collect();
    awaited.sort_unstable();
    awaited.dedup();
    awaited.windows(2).any(|pair| pair[0].0 == pair[1].0)
}

/// Returns whether a flush happens under the contexts of a caller.
fn flush_under_context(told: &Told) -> bool {
    let mut active = Vec::new();
    lines(told).any(|line| {
        if let Some(context) = line.text.strip_suffix(" resumes") {
            active.push(context);
        } else if let Some(context) = line.text.strip_suffix(" pauses") {
            active.retain(|&other| other != context);
        }
        line.text.starts_with("flush ") && line.depth > 0 && !active.is_empty()
    })
}

/// Returns whether a call pauses a context of its caller, and goes on with that paused.
fn call_pauses_a_context_of_its_caller(told: &Told) -> bool {
    let (mut active, mut depth) = (Vec::new(), 0);
    lines(told).any(|line| {
        let is_nested = line.depth > 0;
        if line.depth != depth && is_nested {
            active.clear();
        }
        depth = line.depth;
        if let Some(context) = line.text.strip_suffix(" resumes") {
            active.push(context);
        }
        let paused = line.text.strip_suffix(" pauses");
        is_nested && paused.is_some_and(|context| !active.contains(&context))
    })
}

type Kind = (&'static str, fn(&Told) -> bool);

const KINDS: &[Kind] = &[
    ("calls nest", |told| told.max_depth == 2),
    ("calls nest deeply", |told| told.max_depth > 2),
    ("a call flushes inside a call", |told| says_inside(told, "flush ")),
    ("an outer task runs in an inner call", outer_task_runs_inside),
    ("several flushes", |told| told.flushes.len() > 3),
    ("a batch of several items", |told| told.flushes.iter().any(|(_, keys)| keys.len() > 2)),
    ("a flush is waited for", |told| says(told, "wait\n") && says(told, " lands")),
    ("a flush is waited for in a call", |told| says_inside(told, "wait")),
    ("several flushes in flight", |told| told.max_in_flight > 1),
    ("a flush task runs", |told| says(told, "] starts")),
    ("a shared task", task_is_shared),
    ("a join of some", |told| says(told, " awaits any of [")),
    ("a join goes on with a part", |told| says(told, " gets [-")),
    ("everything is computed before a task waits", |told| says(told, " awaits [-]")),
    ("something is computed before a join of some", |told| {
        lines(told).any(|line| line.text.contains(" awaits any of [") && line.text.contains('-'))
    }),
    ("an error is received", |told| says(told, " gets error: ")),
    ("an error is caught", |told| says(told, " catches: ")),
    ("an item fails", |told| says(told, " has no ")),
    ("an item is forgotten", |told| says(told, " forgot ")),
    ("a flush fails", |told| says(told, " broke at ")),
    ("a promise is set", |told| says(told, " is set to ")),
    ("a task is cancelled", |told| says(told, " fails: cancelled")),
    ("a call is given up", |told| says(told, " fails: interrupted")),
    ("a task starts in a context", |told| says(told, " starts under ")),
    ("a task runs in several", |told| told.ran.iter().any(|ran| ran.contexts.len() > 1)),
    ("a context is paused and resumed", |told| {
        let times = |what| lines(told).filter(|line| line.text == what).count();
        times("c0 pauses") > 1 && times("c0 resumes") > 1
    }),
    ("a flush under a context", flush_under_context),
    ("a call pauses a context of its caller", call_pauses_a_context_of_its_caller),
    ("a pause fails", |told| says(told, " fails to pause")),
    ("a resume fails", |told| says(told, " fails to resume")),
    ("a deadlock", |told| {
        lines(told).any(|line| line.text.starts_with("deadlock") && line.depth == 0)
    }),
    ("a call in a call is stuck", |told| says(told, "; fails: []")),
    ("a circle in a call", |told| {
        lines(told).any(|line| {
            line.depth > 0 && line.text.starts_with("deadlock") && !line.text.ends_with("[]")
        })
    }),
    ("tasks are left", |told| told.tasks_left > 0),
    ("batches are left", |told| told.batches_left > 0),
];

#[test]
fn random_programs_reach_everything() {
    let mut runner = TestRunner::deterministic();
    let strategy = case();
    let mut counts = vec![0; KINDS.len()];
    for _ in 0..1_000 {
        let case = strategy.new_tree(&mut runner).expect("nothing is rejected").current();
        let told = model::run(&case.program, &case.roots);
        for (count, (_, happens)) in counts.iter_mut().zip(KINDS) {
            *count += usize::from(happens(&told));
        }
    }
    let table: Vec<_> =
        KINDS.iter().zip(&counts).map(|((kind, _), count)| format!("{count:5} {kind}")).collect();
    assert!(counts.iter().all(|&count| count >= 5), "of 1,000 programs:\n{}", table.join("\n"));
    println!("{}", table.join("\n"));
}
