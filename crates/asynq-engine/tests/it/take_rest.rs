//! Taking out what the calls have left behind.

use std::rc::Rc;

use asynq_engine::{BatchId, ContextId, Engine, Host, PriorityRule, Step, TaskId};

use crate::plain::{await_all, begin_call, end_call};

struct Names;

impl Host for Names {
    type Task = &'static str;
    type Batch = &'static str;
    type Context = Rc<()>;
    type Priority = (i64, usize);
}

/// Remains of a call that was abandoned.
struct Left {
    engine: Engine<Names>,
    root: TaskId,
    db: BatchId,
    context: ContextId,
    /// The payload of the context.
    payload: Rc<()>,
}

/// Gives up a call while `root` waits for `child`, which is in a context and waits for an item of
/// `db`.
fn abandoned() -> Left {
    let mut engine = Engine::<Names>::new();
    let payload = Rc::new(());
    let [root, child] = ["root", "child"].map(|name| engine.add_task(name));
    let db = engine.add_batch("db", PriorityRule::BySize);
    let item = engine.add_item(db).unwrap();
    begin_call(&mut engine, root);
    await_all(&mut engine, [child]);
    assert_eq!(engine.next(), Step::Run(child));
    let context = engine.enter_context(Rc::clone(&payload)).unwrap();
    await_all(&mut engine, [item]);
    engine.abandon();
    assert_eq!(engine.next(), Step::Pause(context));
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    Left { engine, root, db, context, payload }
}

#[test]
fn tasks_and_batches_that_have_not_ended_are_handed_back() {
    let Left { mut engine, .. } = abandoned();
    let (mut tasks, batches) = engine.take_rest();
    tasks.sort_unstable();
    assert_eq!((tasks, batches), (vec!["child", "root"], vec!["db"]));
    assert_eq!(engine.take_rest(), (vec![], vec![]));
}

#[test]
fn contexts_are_dropped() {
    let Left { mut engine, payload, .. } = abandoned();
    assert_eq!(Rc::strong_count(&payload), 2);
    engine.take_rest();
    assert_eq!(Rc::strong_count(&payload), 1);
}

#[test]
fn the_old_ids_do_not_find_what_is_added_later() {
    let Left { mut engine, root, db, context, payload } = abandoned();
    engine.take_rest();
    let again = engine.add_task("again");
    engine.add_batch("again", PriorityRule::BySize);
    begin_call(&mut engine, again);
    let later = engine.enter_context(payload).unwrap();
    assert_eq!((engine.task(root), engine.batch(db)), (None, None));
    assert_eq!(engine.context(context), None);
    assert!(!engine.leave_context(context));
    assert_eq!(engine.active_contexts(), [later]);
}

#[test]
fn the_next_call_runs_as_the_first() {
    let Left { mut engine, .. } = abandoned();
    engine.take_rest();
    let again = engine.add_task("again");
    begin_call(&mut engine, again);
    end_call(&mut engine, again);
}

#[test]
#[should_panic(expected = "only after the outermost `exit`")]
fn a_call_must_not_be_in_progress() {
    let mut engine = Engine::<Names>::new();
    let root = engine.add_task("root");
    engine.enter(root);
    engine.take_rest();
}
