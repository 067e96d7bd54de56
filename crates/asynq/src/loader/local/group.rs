//! Groups of loaders: one scope, one clear and one limit for all of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::{Rc, Weak};

use crate::context::AsyncContext;
use crate::scheduler::{self, Limit, Scheduler};

/// Loaders of a request or session, with one scope, one limit and one clear for all of them.
///
/// A loader joins by [`LocalLoader::group`](super::LocalLoader::group). A group has handles to none of its loaders,
/// so they can be dropped before it.
///
/// ```
/// use asynq::loader::LocalGroup;
/// use asynq::{AsyncTask, FutureBase, LocalLoader, with_context};
///
/// // A connection that can run one statement at a time.
/// let session = LocalGroup::new().max_in_flight(1);
/// let name = LocalLoader::new(|ids: Vec<u32>| async { ids }).group(&session);
/// let age = LocalLoader::new(|ids: Vec<u32>| async { ids }).group(&session);
///
/// let request = with_context(session.scope(), {
///     let (name, age, session) = (name.clone(), age.clone(), session.clone());
///     async move {
///         let user = (name.load(1).await.unwrap(), age.load(1).await.unwrap());
///         session.clear_all();                  // after a write
///         user
///     }
/// });
/// assert_eq!(AsyncTask::new(request).value(), (1, 1));
/// ```
///
/// Clones are handles to the same group. A group belongs to one thread, like its loaders.
#[derive(Clone, Default)]
pub struct LocalGroup {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    limit: RefCell<Option<Rc<Limit>>>,
    /// The loaders, by numbers that count on in the order in which they joined.
    members: RefCell<BTreeMap<u64, Weak<dyn Member>>>,
    next_number: Cell<u64>,
    /// Scopes that are active, the innermost last.
    active: RefCell<Vec<Rc<Scopes>>>,
}

/// A loader as its group knows it.
pub(super) trait Member {
    /// Creates a context in which the loader has a cache of its own.
    fn new_scope(&self) -> Box<dyn AsyncContext>;
    fn clear_all(&self);
}

impl LocalGroup {
    /// Creates a group without loaders and without a limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of batches of all loaders in the group that are in flight (at least 1). A
    /// batch that waits for its turn collects further keys.
    ///
    /// Each batch counts, also one whose function is not async: it could meet one in flight. A plain call
    /// in a task waits for the batches that are in flight around it, unless these wait for the task. A batch
    /// whose function waits for another loader lends its permit to the batch of that one.
    #[must_use]
    pub fn max_in_flight(self, batches: usize) -> Self {
        self.inner.limit.replace(Some(Limit::new(batches)));
        self
    }

    /// Creates a context in which each loader of the group has a cache of its own, as in
    /// [`LocalLoader::scope`](super::LocalLoader::scope): for one request, by [`with_context`](crate::with_context).
    /// Loaders that join later are included.
    ///
    /// In a scope of a loader inside a scope of its group, or the other way round, the inner one counts.
    pub fn scope(&self) -> LocalGroupScope {
        LocalGroupScope { group: Rc::clone(&self.inner), scopes: Rc::default() }
    }

    /// Removes all keys from the current caches of all loaders of the group: see
    /// [`LocalLoader::clear_all`](super::LocalLoader::clear_all).
    pub fn clear_all(&self) {
        let members = self.inner.members.borrow().values().cloned().collect::<Vec<_>>();
        for member in members.iter().filter_map(Weak::upgrade) {
            member.clear_all();
        }
    }

    fn limit(&self) -> Option<Rc<Limit>> {
        self.inner.limit.borrow().clone()
    }

    /// Adds a loader, also to the scopes that are active.
    pub(super) fn join(&self, member: Weak<dyn Member>) -> Membership {
        // Another branch of the task may have been left inside a scope of its own.
        scheduler::try_with(Scheduler::switch_to_branch);
        let number = self.inner.next_number.replace(self.inner.next_number.get() + 1);
        let mut members = self.inner.members.borrow_mut();
        if members.len().is_power_of_two() {
            members.retain(|_, member| member.strong_count() > 0);
        }
        members.insert(number, member);
        drop(members);
        let active = self.inner.active.borrow().clone();
        for scopes in &active {
            let before = scopes.all.borrow().len();
            scopes.add_missing(&self.inner);
            for scope in &scopes.all.borrow()[before..] {
                scope.resume();
            }
        }
        Membership { group: self.clone(), number }
    }
}

impl fmt::Debug for LocalGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.inner.members.borrow();
        let loaders = members.values().filter(|member| member.strong_count() > 0).count();
        f.debug_struct("LocalGroup").field("loaders", &loaders).finish_non_exhaustive()
    }
}

/// The membership of a loader in a group, which ends when this is dropped.
pub(in crate::loader) struct Membership {
    group: LocalGroup,
    number: u64,
}

impl Membership {
    /// Returns the limit of the group.
    pub(super) fn limit(&self) -> Option<Rc<Limit>> {
        self.group.limit()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.inner.members.borrow_mut().remove(&self.number);
    }
}

/// Scopes of the loaders of a group, in the order in which these joined.
#[derive(Default)]
struct Scopes {
    all: RefCell<Vec<Box<dyn AsyncContext>>>,
    /// Number of the first loader that has no scope yet.
    next: Cell<u64>,
}

impl Scopes {
    /// Adds a scope of each loader that has joined since the last call.
    fn add_missing(&self, group: &Inner) {
        let members = group.members.borrow();
        let missing = members.range(self.next.get()..).filter_map(|(_, member)| member.upgrade());
        let missing: Vec<_> = missing.collect();
        drop(members);
        self.next.set(group.next_number.get());
        let scopes = missing.iter().map(|member| member.new_scope());
        self.all.borrow_mut().extend(scopes);
    }
}

/// Context of [`LocalGroup::scope`].
#[must_use = "a scope does nothing unless it is entered: `with_context(scope, future)`"]
pub struct LocalGroupScope {
    group: Rc<Inner>,
    scopes: Rc<Scopes>,
}

impl AsyncContext for LocalGroupScope {
    fn resume(&self) {
        self.scopes.add_missing(&self.group);
        for scope in &*self.scopes.all.borrow() {
            scope.resume();
        }
        self.group.active.borrow_mut().push(Rc::clone(&self.scopes));
    }

    fn pause(&self) {
        let mut active = self.group.active.borrow_mut();
        let innermost = active.iter().rposition(|scopes| Rc::ptr_eq(scopes, &self.scopes));
        innermost.map(|index| active.remove(index));
        drop(active);
        for scope in self.scopes.all.borrow().iter().rev() {
            scope.pause();
        }
    }

    fn name(&self) -> String {
        "scope of a group of loaders".to_owned()
    }
}

impl fmt::Debug for LocalGroupScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalGroupScope").finish_non_exhaustive()
    }
}
