//! Taking out what the calls have left behind.

use asynq_engine::{Engine, Host, PriorityRule, Step, TaskId, Until};

struct Names;

impl Host for Names {
    type Task = &'static str;
    type Batch = &'static str;
    type Context = ();
    type Priority = (i64, usize);
}

/// An engine in which a call was given up while `root` waits for `child`, which is in a context and
/// waits for an item of `db`.
fn abandoned() -> (Engine<Names>, TaskId) {
    let mut engine = Engine::<Names>::new();
    let root = engine.add_task("root");
    let child = engine.add_task("child");
    let db = engine.add_batch("db", PriorityRule::BySize);
    let item = engine.add_item(db).unwrap();
    engine.enter(root);
    assert_eq!(engine.next(), Step::Run(root));
    engine.depend(child);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(child));
    let context = engine.enter_context(()).unwrap();
    engine.depend(item);
    engine.block(Until::All);
    engine.abandon();
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    (engine, root)
}

#[test]
fn what_has_not_ended_is_handed_back() {
    let (mut engine, _) = abandoned();
    let (mut tasks, batches) = engine.take_rest();
    tasks.sort_unstable();
    assert_eq!((tasks, batches), (vec!["child", "root"], vec!["db"]));
}

#[test]
fn nothing_of_it_stays() {
    let (mut engine, root) = abandoned();
    engine.take_rest();
    assert_eq!((engine.task_count(), engine.batch_count()), (0, 0));
    assert_eq!(engine.tasks().count() + engine.batches().count(), 0);
    assert!(engine.task(root).is_none());
}

#[test]
fn the_next_call_runs_as_the_first() {
    let (mut engine, old) = abandoned();
    engine.take_rest();
    let again = engine.add_task("again");
    assert_ne!(again, old);
    engine.enter(again);
    assert_eq!(engine.next(), Step::Run(again));
    engine.complete(again);
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
}

#[test]
#[should_panic(expected = "only after the outermost `exit`")]
fn a_call_must_not_be_under_way() {
    let mut engine = Engine::<Names>::new();
    let root = engine.add_task("root");
    engine.enter(root);
    engine.take_rest();
}
