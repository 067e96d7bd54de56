//! Iterative drop of long chains of tasks.
//!
//! The body of a task owns the tasks that it awaits, and so on: dropped recursively, a chain of a
//! million tasks would overflow the native stack. So the outermost drop drops all bodies in a loop,
//! and the drops inside it only add to its list.

use std::cell::RefCell;
use std::mem;
use std::thread;

use super::computation::AnyComputation;

thread_local! {
    /// Tasks whose bodies are still to be dropped; `None` while nothing is being dropped.
    static PENDING: RefCell<Option<Vec<AnyComputation>>> = const { RefCell::new(None) };
}

/// Drops the body of `task`, now or when the outermost drop comes to it. Returns the first panic of
/// a destructor.
pub(super) fn discard(task: AnyComputation) -> thread::Result<()> {
    let is_outermost = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
        if let Some(list) = &mut *pending {
            list.push(task.clone());
            return false;
        }
        *pending = Some(Vec::new());
        true
    });
    match is_outermost {
        Ok(false) => Ok(()),
        Ok(true) => discard_all(task),
        // The thread ends, and has no list any more.
        Err(_) => task.as_ref().discard(),
    }
}

fn discard_all(first: AnyComputation) -> thread::Result<()> {
    let mut result = Ok(());
    let mut next = Some(first);
    while let Some(task) = next {
        result = result.and(task.as_ref().discard());
        next = PENDING.with(|pending| pending.borrow_mut().as_mut().and_then(Vec::pop));
    }
    PENDING.with(|pending| mem::take(&mut *pending.borrow_mut()));
    result
}
