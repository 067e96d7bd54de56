//! The logs of this thread, one for each recording.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::program::Share;
use super::session::Session;
use super::thread_log::ThreadLog;

thread_local! {
    /// True if something of this thread is recorded; `None` before anybody has asked.
    static IS_ON: Cell<Option<bool>> = const { Cell::new(None) };
    static LOGS: RefCell<Logs> = const { RefCell::new(Logs { logs: Vec::new(), program: None }) };
}

/// The logs of a thread, and then its part in the recording of the program, which writes the report when it is dropped.
struct Logs {
    logs: Vec<ThreadLog>,
    program: Option<Share>,
}

/// Guard of a recording of this thread.
pub(crate) struct Attached {
    session: Arc<Session>,
    /// It belongs to this thread.
    _thread: PhantomData<Rc<()>>,
}

/// Records this thread as long as the result lives.
pub(crate) fn attach(session: Arc<Session>) -> Attached {
    is_on();
    add(Arc::clone(&session));
    Attached { session, _thread: PhantomData }
}

fn add(session: Arc<Session>) {
    let log = ThreadLog::new(session);
    LOGS.with_borrow_mut(|logs| logs.logs.push(log));
    IS_ON.set(Some(true));
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A thread that ends may have no logs any more.
        let removed = LOGS.try_with(|logs| {
            let logs = &mut logs.borrow_mut().logs;
            let place = logs.iter().position(|log| Arc::ptr_eq(&log.session, &self.session))?;
            let removed = logs.remove(place);
            IS_ON.set(Some(!logs.is_empty()));
            Some(removed)
        });
        drop(removed);
    }
}

/// Returns whether something of this thread is recorded.
#[inline]
pub(crate) fn is_on() -> bool {
    IS_ON.get().unwrap_or_else(find_program)
}

#[cold]
fn find_program() -> bool {
    IS_ON.set(Some(false));
    if let Some((share, session)) = Share::new() {
        add(session);
        LOGS.with_borrow_mut(|logs| logs.program = Some(share));
    }
    IS_ON.get() == Some(true)
}

/// Calls `f` with each log of this thread. It runs no code of users.
#[inline]
pub(super) fn each(mut f: impl FnMut(&mut ThreadLog)) {
    // A thread that ends may still drop tasks.
    let _ = LOGS.try_with(|logs| {
        if let Ok(mut logs) = logs.try_borrow_mut() {
            logs.logs.iter_mut().for_each(&mut f);
        }
    });
}

/// Hands the steps of this thread to their recordings.
pub(crate) fn hand_over() {
    each(ThreadLog::hand_over);
}
