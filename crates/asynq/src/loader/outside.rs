//! Loads outside of requests and tasks, on a thread that an executor inside of the poll may hold: `block_on` in a handler.
//!
//! There a task of the runtime sends the round, and further tasks call the function. They may be those of the thread that
//! is held. As the `Note: wakers inside of a poll` in `nested_wakers` says, the waker of a load is woken to find out who
//! polls it: an executor does so again before the runtime has had a turn.

use std::cell::RefCell;
use std::task::Waker;

use crate::nested_wakers::{stack_depth, type_of};
use crate::scheduler::{MAX_QUESTIONS, RuntimeTurn};

/// Number of wakers of one kind that are woken in a turn.
const MAX_WOKEN: usize = 4;

/// The wakers that were woken in the present turn of the runtime of this thread.
struct Turn {
    next: RuntimeTurn,
    seen: Vec<WokenWaker>,
}

struct WokenWaker {
    data: usize,
    /// Type, and depth of the native stack.
    kind: (usize, usize),
    polls: u32,
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Returns whether an executor polls a pending load with `waker`, and holds a thread that would have to run the tasks
/// of a runtime. `is_new` says that the load was not polled before.
#[cold]
#[inline(never)]
pub(super) fn is_of_executor(waker: &Waker, is_new: bool) -> bool {
    let kind = (type_of(waker), stack_depth());
    let data = waker.data().addr();
    let again = TURN.with_borrow_mut(|turn| {
        if turn.as_ref().is_none_or(|turn| turn.next.has_come()) {
            let next = RuntimeTurn::begin();
            if next.has_come() {
                // This thread runs no tasks.
                *turn = None;
                return Some(false);
            }
            *turn = Some(Turn { next, seen: Vec::new() });
        }
        let seen = &mut turn.as_mut()?.seen;
        if let Some(place) = seen.iter().position(|one| one.data == data && one.kind == kind) {
            seen[place].polls += 1;
            if seen[place].polls > MAX_QUESTIONS {
                seen.swap_remove(place);
                return None;
            }
            return Some(true);
        }
        // The others of a queue are polled in the same way.
        let is_woken = is_new && seen.iter().filter(|one| one.kind == kind).count() < MAX_WOKEN;
        if is_woken {
            seen.push(WokenWaker { data, kind, polls: 1 });
        }
        Some(is_woken)
    });
    if again == Some(true) {
        waker.wake_by_ref();
    }
    again.is_none()
}
