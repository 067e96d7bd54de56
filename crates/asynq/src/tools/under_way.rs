//! Calls that have not ended yet.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use crate::futures::FutureBase;
use crate::task::{AsyncTask, WeakTask};

/// The tasks of a function that are under way, by the keys of their calls.
///
/// It does not keep them: a task that nobody wants any more is cancelled as any other, and
/// forgotten.
pub(super) struct UnderWay<K, T> {
    /// Borrowed for single operations of the map, which run no code of a user's but that of the
    /// keys: `Hash`, `Eq`.
    tasks: Rc<RefCell<HashMap<K, WeakTask<T>>>>,
}

impl<K, T> UnderWay<K, T>
where
    K: Clone + Eq + Hash + 'static,
    T: Clone + 'static,
{
    pub(super) fn new() -> Self {
        Self { tasks: Rc::default() }
    }

    /// The task that is under way for `key`; if there is none, the one that `call` makes.
    ///
    /// A call from inside the task is not shared: the task cannot wait for itself.
    pub(super) fn share(&self, key: K, call: impl FnOnce() -> AsyncTask<T>) -> AsyncTask<T> {
        let known = self.tasks.borrow().get(&key).and_then(WeakTask::upgrade);
        match known {
            Some(task) if task.is_running() => call(),
            Some(task) => task,
            None => {
                let task = call();
                self.add(key, &task);
                task
            }
        }
    }

    fn add(&self, key: K, task: &AsyncTask<T>) {
        if task.is_computed() {
            return;
        }
        let weak = WeakTask::of(task);
        let (tasks, this, its_key) = (Rc::downgrade(&self.tasks), weak.clone(), key.clone());
        task.on_computed(move || {
            let Some(tasks) = tasks.upgrade() else { return };
            let is_current = tasks.borrow().get(&its_key).is_some_and(|task| task.is(&this));
            if is_current {
                let _removed = tasks.borrow_mut().remove_entry(&its_key);
            }
        });
        self.forget(&key);
        self.tasks.borrow_mut().insert(key, weak);
    }

    /// Makes the next call for `key` start a task of its own.
    pub(super) fn forget(&self, key: &K) {
        // The key is dropped when the borrow has ended.
        let _removed = self.tasks.borrow_mut().remove_entry(key);
    }
}

impl<K, T> Clone for UnderWay<K, T> {
    fn clone(&self) -> Self {
        Self { tasks: Rc::clone(&self.tasks) }
    }
}
