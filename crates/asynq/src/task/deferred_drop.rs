//! Where the bodies of given-up tasks are dropped.
//!
//! A task's body owns the tasks it waits for, and so on: dropped as Rust does it, a chain of a
//! million tasks would overflow the native stack. Here the outermost drop does all the work, in a
//! loop; those inside it only leave word.

use std::cell::RefCell;
use std::mem;
use std::thread;

use crate::task::computation::AnyComputation;

thread_local! {
    /// The tasks whose bodies are still to be dropped; `None` while nothing is dropped.
    static WAITING: RefCell<Option<Vec<AnyComputation>>> = const { RefCell::new(None) };
}

/// Drops the body of `task`, now or soon. Returns what the first of them panicked with.
pub(crate) fn bury(task: AnyComputation) -> thread::Result<()> {
    let outermost = WAITING.try_with(|waiting| {
        let mut waiting = waiting.borrow_mut();
        if let Some(list) = &mut *waiting {
            list.push(AnyComputation::clone(&task));
            return false;
        }
        *waiting = Some(Vec::new());
        true
    });
    match outermost {
        Ok(false) => Ok(()),
        Ok(true) => drop_all(task),
        // The thread ends, and takes its own stack for it.
        Err(_) => task.as_ref().discard(),
    }
}

fn drop_all(first: AnyComputation) -> thread::Result<()> {
    let mut result = Ok(());
    let mut next = Some(first);
    while let Some(task) = next {
        result = result.and(task.as_ref().discard());
        next = WAITING.with(|waiting| waiting.borrow_mut().as_mut().and_then(Vec::pop));
    }
    WAITING.with(|waiting| mem::take(&mut *waiting.borrow_mut()));
    result
}
