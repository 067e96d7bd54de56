//! The threads that may use a loader: all, or the one that has created it.
//!
//! A [`Loader`](super::Loader) and a [`LocalLoader`](super::LocalLoader) have the same settings and caches. They differ
//! in the bounds of what users give them, and in their limits and groups.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::cache::Cache;
use super::error::LoadError;
use super::group::Group;
use super::limits::Limit;
use super::local::Membership;
use super::stats::Flushed;
use crate::clock::Wait;
use crate::scheduler;

/// A wait for a time, on one thread.
pub(super) type LocalWait = Pin<Box<dyn Future<Output = ()>>>;

/// The threads that may use a loader.
pub(super) trait Threads: 'static {
    /// Function that returns the value of a key which is missing.
    type Default<K, V>: Fn(&K) -> V + ?Sized;
    /// Hook before a batch.
    type Before<K>: Fn(&[K]) + ?Sized;
    /// Hook after a batch.
    type After<K>: Fn(&Flushed<'_, K>) + ?Sized;
    /// Predicate of errors.
    type CachesError: Fn(&LoadError) -> bool + ?Sized;
    type Cache<K, V>: Cache<K, V> + ?Sized;
    /// Function that returns a wait for a time.
    type Timer: ?Sized;
    type Limit;
    /// Membership in a group.
    type Group;
    /// Default of [`Loader::settle`](super::Loader::settle).
    const SETTLE: u32;
    /// Default of [`Loader::busy_at`](super::Loader::busy_at).
    const BUSY: Option<usize>;
    /// Default of [`Loader::hold_when_busy`](super::Loader::hold_when_busy).
    const HOLD_WHEN_BUSY: Option<Duration>;
}

/// All threads of the process, which share the rounds.
#[derive(Clone, Copy)]
pub(super) enum AllThreads {}

/// The thread that has created the loader.
#[derive(Clone, Copy)]
pub(super) enum OneThread {}

impl Threads for AllThreads {
    type Default<K, V> = dyn Fn(&K) -> V + Send + Sync;
    type Before<K> = dyn Fn(&[K]) + Send + Sync;
    type After<K> = dyn Fn(&Flushed<'_, K>) + Send + Sync;
    type CachesError = dyn Fn(&LoadError) -> bool + Send + Sync;
    type Cache<K, V> = dyn Cache<K, V> + Send;
    type Timer = dyn Fn(Duration) -> Wait + Send + Sync;
    type Limit = Arc<Limit>;
    type Group = Group;
    const SETTLE: u32 = 2;
    const BUSY: Option<usize> = Some(2);
    const HOLD_WHEN_BUSY: Option<Duration> = Some(Duration::from_millis(2));
}

impl Threads for OneThread {
    type Default<K, V> = dyn Fn(&K) -> V;
    type Before<K> = dyn Fn(&[K]);
    type After<K> = dyn Fn(&Flushed<'_, K>);
    type CachesError = dyn Fn(&LoadError) -> bool;
    type Cache<K, V> = dyn Cache<K, V>;
    type Timer = dyn Fn(Duration) -> LocalWait;
    type Limit = Rc<scheduler::Limit>;
    type Group = Membership;
    const SETTLE: u32 = 0;
    const BUSY: Option<usize> = None;
    const HOLD_WHEN_BUSY: Option<Duration> = None;
}
