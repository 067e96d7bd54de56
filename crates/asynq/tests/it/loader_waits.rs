//! Batch functions that wait for other loads, and waits that would not end.

use std::cell::RefCell;
use std::rc::Rc;

use asynq::loader::{LoadError, set_max_in_flight};
use asynq::{AsyncTask, BatchError, FutureBase, LocalLoader, TaskError, TaskErrorKind, all};

use crate::common::{assert_usable, later};

type Handle = Rc<RefCell<Option<LocalLoader<u32, u32>>>>;

/// A loader whose function loads its keys from the loader in `other`, in a task of its own.
fn from(other: &Handle) -> LocalLoader<u32, u32> {
    let other = Rc::clone(other);
    LocalLoader::try_new(async move |keys: Vec<u32>| {
        let other = other.borrow().clone().expect("it is set");
        AsyncTask::new(other.load_each(keys)).await
    })
}

/// The innermost error of a load.
fn innermost(error: &BatchError) -> &(dyn std::error::Error + 'static) {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// Two loaders, each of which loads its keys from the other.
fn circle() -> (LocalLoader<u32, u32>, Handle) {
    let handle = Handle::default();
    let one = from(&handle).name("one");
    let two = from(&Rc::new(RefCell::new(Some(one.clone())))).name("two");
    handle.replace(Some(two));
    (one, handle)
}

#[test]
fn a_function_that_loads_its_own_key_gets_an_error() {
    let handle = Handle::default();
    let own = from(&handle).name("own");
    handle.replace(Some(own.clone()));
    let error = own.load(1).value().unwrap_err();
    assert_eq!(
        error.to_string(),
        "batch own: key 1: batch own: key 1: the batch function loads a key that it was called for, \
         and would wait for itself"
    );
    handle.take();
    assert_usable();
}

#[test]
fn functions_that_wait_for_each_other_get_an_error() {
    let (one, handle) = circle();
    let error = one.load(1).value().unwrap_err();
    assert_eq!(
        error.to_string(),
        "batch one: key 1: batch two: key 1: batch one: key 1: the batch with this key waits for the \
         batch function that loads it, so they would wait for each other"
    );
    assert!(matches!(innermost(&error).downcast_ref(), Some(LoadError::Circle { .. })));
    handle.take();
    assert_usable();
}

#[test]
fn functions_that_wait_for_each_other_get_an_error_while_others_are_in_flight() {
    let (one, handle) = circle();
    let busy = LocalLoader::new(async |keys: Vec<u32>| {
        later(20).await;
        keys
    });
    let fails = AsyncTask::new(async move { one.load(1).await.is_err() });
    let order = Rc::new(RefCell::new(Vec::new()));
    let both = all((busy.load(7), fails.clone()));
    let log = Rc::clone(&order);
    fails.on_computed(move || log.borrow_mut().push("fails"));
    let log = Rc::clone(&order);
    let both = AsyncTask::new(async move {
        let values = both.await;
        log.borrow_mut().push("all");
        values
    });
    assert!(both.value().1);
    assert_eq!(*order.borrow(), ["fails", "all"]);
    handle.take();
}

#[test]
fn functions_may_load_other_keys_of_each_other() {
    let handle = Handle::default();
    let down = {
        let handle = Rc::clone(&handle);
        LocalLoader::try_new(async move |keys: Vec<u32>| {
            let other = handle.borrow().clone().expect("it is set");
            let lower = |key: &u32| key.checked_sub(1).map(|key| other.load(key));
            let loads: Vec<_> = keys.iter().map(lower).collect();
            let mut values = Vec::new();
            for (load, key) in loads.into_iter().zip(keys) {
                values.push(match load {
                    Some(load) => load.await.map(|value| value + key),
                    None => Ok(0),
                });
            }
            values
        })
    };
    handle.replace(Some(from(&Rc::new(RefCell::new(Some(down.clone()))))));
    set_max_in_flight(1);
    assert_eq!(down.load(4).value().unwrap(), 10);
    set_max_in_flight(None);
    handle.take();
}

#[test]
fn a_function_that_waits_for_a_task_that_waits_for_it_gets_the_deadlock() {
    let waits: Rc<RefCell<Option<AsyncTask<u32>>>> = Rc::default();
    let loader = {
        let waits = Rc::clone(&waits);
        LocalLoader::new(async move |keys: Vec<u32>| {
            let task = waits.borrow().clone().expect("it is set");
            vec![task.await; keys.len()]
        })
    };
    let error = Rc::new(RefCell::new(None));
    let task = {
        let error = Rc::clone(&error);
        AsyncTask::new(async move {
            error.replace(loader.load(1).await.err());
            0
        })
    };
    waits.replace(Some(task.clone()));
    assert_eq!(task.value(), 0);
    waits.take();
    let error = error.take().expect("the load has failed");
    let kind = innermost(&error).downcast_ref().map(TaskError::kind);
    assert_eq!(kind, Some(TaskErrorKind::Deadlock), "{error}");
    assert_usable();
}
