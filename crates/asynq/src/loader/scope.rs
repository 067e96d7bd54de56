//! Scopes: contexts in which loaders have caches of their own.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::context::AsyncContext;
use crate::request::current::Shelf;

thread_local! {
    /// Scopes that are active, the innermost last.
    static ACTIVE: RefCell<Vec<(u64, Arc<Shelf>)>> = const { RefCell::new(Vec::new()) };
}

/// Returns an id for a loader or a group, which no other has.
pub(super) fn next_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Context of [`Loader::scope`](super::Loader::scope) and [`Group::scope`](super::Group::scope).
#[must_use = "a scope does nothing unless it is entered: `with_context(scope, future)`"]
pub struct Scope {
    /// The loader or group.
    of: u64,
    caches: Arc<Shelf>,
}

impl Scope {
    pub(super) fn new(of: u64) -> Self {
        Self { of, caches: Arc::default() }
    }
}

/// Returns the caches of the innermost scope of a loader with this id, or of its group.
pub(super) fn caches(loader: u64, group: Option<u64>) -> Option<Arc<Shelf>> {
    ACTIVE.with_borrow(|active| {
        let is_of = |(of, _): &&(u64, _)| *of == loader || Some(*of) == group;
        active.iter().rev().find(is_of).map(|(_, caches)| Arc::clone(caches))
    })
}

impl AsyncContext for Scope {
    fn resume(&self) {
        ACTIVE.with_borrow_mut(|active| active.push((self.of, Arc::clone(&self.caches))));
    }

    fn pause(&self) {
        ACTIVE.with_borrow_mut(|active| {
            let is_this = |(_, caches): &(_, Arc<Shelf>)| Arc::ptr_eq(caches, &self.caches);
            if let Some(index) = active.iter().rposition(is_this) {
                active.remove(index);
            }
        });
    }

    fn name(&self) -> String {
        "scope of loaders".to_owned()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
