//! Groups of loaders: one scope, one clear and one limit for all of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::limits::Limit;
use super::scope::{Scope, next_id};

/// Loaders of a request or session, with one scope, one limit and one clear for all of them.
///
/// A loader joins by [`Loader::group`](super::Loader::group). A group has handles to none of its loaders,
/// so they can be dropped before it.
///
/// ```
/// use asynq::loader::Group;
/// use asynq::{FutureBase, Loader};
///
/// // A connection that can run one statement at a time.
/// let session = Group::new().max_in_flight(1);
/// let name = Loader::new(|ids: Vec<u32>| async { ids }).group(&session).cache();
/// let age = Loader::new(|ids: Vec<u32>| async { ids }).group(&session).cache();
/// assert_eq!(asynq::all((name.load(1), age.load(2))).value().0.unwrap(), 1);
/// session.clear_all();                              // after a write
/// ```
///
/// Clones are handles to the same group.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

struct Inner {
    id: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    limit: Option<Arc<Limit>>,
    members: Vec<Weak<dyn Member>>,
}

/// A loader as its group knows it.
pub(super) trait Member: Send + Sync {
    fn clear_all(&self);
}

impl Default for Group {
    fn default() -> Self {
        Self { inner: Arc::new(Inner { id: next_id(), state: Mutex::default() }) }
    }
}

impl Group {
    /// Creates a group without loaders and without a limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of batches of all loaders in the group that are in flight (at least 1). A
    /// batch that waits for its turn collects further keys.
    ///
    /// Each batch counts, also one whose function is not async: it could meet one in flight. A batch whose
    /// function waits for another loader lends its permit to the batch of that one.
    #[must_use]
    pub fn max_in_flight(self, batches: usize) -> Self {
        let before = self.state().limit.replace(Limit::new(batches));
        drop(before);
        self
    }

    /// Creates a context in which each loader of the group has a cache of its own, as in
    /// [`Loader::scope`](super::Loader::scope). Loaders that join later are included.
    ///
    /// In a scope of a loader inside a scope of its group, or the other way round, the inner one counts.
    pub fn scope(&self) -> Scope {
        Scope::new(self.inner.id)
    }

    /// Removes all keys from the current caches of all loaders of the group: see
    /// [`Loader::clear_all`](super::Loader::clear_all).
    pub fn clear_all(&self) {
        let members: Vec<_> = self.state().members.iter().filter_map(Weak::upgrade).collect();
        for member in members {
            member.clear_all();
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.inner.id
    }

    pub(super) fn limit(&self) -> Option<Arc<Limit>> {
        self.state().limit.clone()
    }

    pub(super) fn join(&self, member: Weak<dyn Member>) {
        let mut state = self.state();
        state.members.retain(|member| member.strong_count() > 0);
        state.members.push(member);
    }

    fn count(&self) -> usize {
        self.state().members.iter().filter(|member| member.strong_count() > 0).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("loaders", &self.count()).finish_non_exhaustive()
    }
}
