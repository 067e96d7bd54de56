//! Pending calls, so that equal calls share a task.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use crate::futures::FutureBase;
use crate::task::{AsyncTask, WeakTask};

/// Pending tasks of a function, by the keys of their calls.
///
/// The references are weak: a task without handles is cancelled like any other, and removed.
pub(super) struct RunningCalls<K, T> {
    /// Borrowed for single operations of the map, which run no code of users but `Hash` and `Eq` of the
    /// keys.
    calls: Rc<RefCell<HashMap<K, Call<T>>>>,
}

struct Call<T> {
    /// Task that calls share.
    task: WeakTask<T>,
    /// Task that runs the function, which may be the same.
    inner: WeakTask<T>,
}

impl<K, T> RunningCalls<K, T>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    pub(super) fn new() -> Self {
        Self { calls: Rc::default() }
    }

    /// Returns the pending task for `key`. A call from inside that task gets `None`, since the task cannot
    /// wait for itself.
    pub(super) fn find(&self, key: &K) -> Option<AsyncTask<T>> {
        let calls = self.calls.borrow();
        let Call { task, inner } = calls.get(key)?;
        if task.is_running() || inner.is_running() { None } else { task.upgrade() }
    }

    /// Adds `task` until it ends, unless `key` has a pending task. `inner` is the task that runs the
    /// function.
    pub(super) fn add(&self, key: K, task: &AsyncTask<T>, inner: WeakTask<T>) {
        let is_known = self.calls.borrow().get(&key).is_some_and(|call| call.task.is_pending());
        if task.is_computed() || is_known {
            return;
        }
        let weak = WeakTask::of(task);
        let (calls, this, its_key) = (Rc::downgrade(&self.calls), weak.clone(), key.clone());
        task.on_computed(move || {
            let Some(calls) = calls.upgrade() else { return };
            let is_current = calls.borrow().get(&its_key).is_some_and(|call| call.task.is(&this));
            if is_current {
                let _removed = calls.borrow_mut().remove_entry(&its_key);
            }
        });
        self.forget(&key);
        self.calls.borrow_mut().insert(key, Call { task: weak, inner });
    }

    /// Makes the next call for `key` start a task of its own.
    pub(super) fn forget(&self, key: &K) {
        // The key is dropped after the borrow has ended.
        let _removed = self.calls.borrow_mut().remove_entry(key);
    }
}

impl<K, T> Clone for RunningCalls<K, T> {
    fn clone(&self) -> Self {
        Self { calls: Rc::clone(&self.calls) }
    }
}
