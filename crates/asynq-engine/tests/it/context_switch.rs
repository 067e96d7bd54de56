//! Switches between contexts while something else happens: one is left half-way, or a running task
//! goes to and fro between its own.

use asynq_engine::{ContextId, Engine, PriorityRule, Step, TaskId};

use crate::plain::{Plain, await_all, begin_call};

/// A task has entered three contexts, has waited for a flush, and is about to go on.
fn three_paused() -> (Engine<Plain>, TaskId, [ContextId; 3]) {
    let mut engine = Engine::new();
    let root = engine.add_task(());
    let batch = engine.add_batch((), PriorityRule::BySize);
    engine.limit_to_call(batch);
    let item = engine.add_item(batch).unwrap();
    begin_call(&mut engine, root);
    let contexts = [(); 3].map(|()| engine.enter_context(()).unwrap());
    await_all(&mut engine, [item]);
    for context in contexts.into_iter().rev() {
        assert_eq!(engine.next(), Step::Pause(context));
    }
    assert_eq!(engine.next(), Step::Flush(batch));
    engine.close(batch);
    (engine, root, contexts)
}

#[test]
fn a_context_that_is_left_while_one_around_it_is_resumed_stays_paused() {
    let (mut engine, root, [outer, middle, inner]) = three_paused();
    assert_eq!(engine.next(), Step::Resume(outer));
    assert!(!engine.leave_context(middle));
    assert_eq!(engine.next(), Step::Resume(inner));
    assert_eq!(engine.next(), Step::Run(root));
    assert_eq!(engine.active_contexts(), [outer, inner]);
}

#[test]
fn a_context_that_is_left_while_it_is_paused_is_not_resumed() {
    let (mut engine, root, [outer, middle, inner]) = three_paused();
    assert!(!engine.leave_context(outer));
    assert_eq!(engine.next(), Step::Resume(middle));
    assert_eq!(engine.next(), Step::Resume(inner));
    assert_eq!(engine.next(), Step::Run(root));
}

/// The front end makes a call while it resumes a context, and the call needs the very task for
/// which the context is resumed.
#[test]
fn a_call_made_while_a_context_is_resumed_pauses_its_own_before_it_resumes_the_others() {
    let (mut engine, root, [outer, middle, inner]) = three_paused();
    assert_eq!(engine.next(), Step::Resume(outer));
    let called = engine.add_task(());
    begin_call(&mut engine, called);
    let own = engine.enter_context(()).unwrap();
    await_all(&mut engine, [root]);
    assert_eq!(engine.next(), Step::Pause(own));
    assert_eq!(engine.next(), Step::Resume(middle));
    assert_eq!(engine.next(), Step::Resume(inner));
    assert_eq!(engine.next(), Step::Run(root));
    assert_eq!(engine.active_contexts(), [outer, middle, inner]);
}

#[test]
fn the_contexts_of_the_caller_are_back_after_a_call_given_up_while_it_resumed_others() {
    let (mut engine, root, [outer, middle, inner]) = three_paused();
    let calling = engine.add_task(());
    begin_call(&mut engine, calling);
    let callers = engine.enter_context(()).unwrap();
    engine.enter(root);
    assert_eq!(engine.next(), Step::Pause(callers));
    assert_eq!(engine.next(), Step::Resume(outer));
    assert!(engine.leave_context(outer));
    engine.abandon();
    assert_eq!(engine.next(), Step::Resume(callers));
    assert_eq!(engine.next(), Step::Done);
    engine.exit();
    await_all(&mut engine, [root]);
    assert_eq!(engine.next(), Step::Pause(callers));
    assert_eq!(engine.next(), Step::Resume(middle));
    assert_eq!(engine.next(), Step::Resume(inner));
    assert_eq!(engine.next(), Step::Run(root));
}

#[test]
fn a_task_that_goes_to_another_of_its_contexts_pauses_the_one_and_resumes_the_other() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let first = engine.enter_context(());
    engine.set_scope(None);
    assert_eq!(engine.switch(), first.map(Step::Pause));
    let second = engine.enter_context(());
    engine.set_scope(first);
    assert_eq!(engine.scope(), first);
    assert_eq!(engine.switch(), second.map(Step::Pause));
    assert_eq!(engine.switch(), first.map(Step::Resume));
    assert_eq!(engine.switch(), None);
}

#[test]
fn a_task_is_inside_the_contexts_around_its_own() {
    let mut engine = Engine::<Plain>::new();
    let [root, other] = [(); 2].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    let inherited = engine.enter_context(()).unwrap();
    await_all(&mut engine, [other]);
    assert_eq!(engine.next(), Step::Run(other));
    let [outer, inner] = [(); 2].map(|()| engine.enter_context(()).unwrap());
    assert!(engine.is_inside(outer) && engine.is_inside(inner));
    assert!(!engine.is_inside(inherited), "another task has entered it");
    engine.set_scope(Some(outer));
    assert!(engine.is_inside(outer) && !engine.is_inside(inner));
}

#[test]
fn a_context_can_be_looked_up_while_it_is_paused_after_the_end_of_its_task() {
    let mut engine = Engine::<Plain>::new();
    let root = engine.add_task(());
    begin_call(&mut engine, root);
    let context = engine.enter_context(()).unwrap();
    engine.complete(root);
    assert_eq!(engine.next(), Step::Pause(context));
    assert!(engine.context(context).is_some());
    assert_eq!(engine.next(), Step::Done);
    assert!(engine.context(context).is_none());
}
