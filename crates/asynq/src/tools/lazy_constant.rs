//! Caching of one value.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::cached::{Cached, Store};
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::{AsyncCall, AsyncTask};

/// Caches the value of `function` until `ttl` has passed (`None`: no limit), or
/// [`dirty`](AlazyConstant::dirty) is called.
///
/// Calls share the task of a pending call. Panics are not cached. An `Err` is cached like any other value,
/// unless [`keep_if`](AlazyConstant::keep_if) excludes it.
///
/// ```
/// use std::time::Duration;
/// use asynq::{asynq, tools::{AlazyConstant, alazy_constant}};
///
/// #[asynq]
/// async fn rates() -> Vec<f64> {
///     println!("asking for the rates");                 // once a minute, at most
///     vec![1.0, 1.17]
/// }
///
/// thread_local! {
///     static RATES: AlazyConstant<Vec<f64>> =
///         alazy_constant(Duration::from_secs(60), rates::asynq);
/// }
///
/// assert_eq!(RATES.with(AlazyConstant::call), RATES.with(AlazyConstant::call));
/// ```
pub fn alazy_constant<T: Clone + 'static, C: AsyncCall<Output = T>>(
    ttl: impl Into<Option<Duration>>,
    function: impl Fn() -> C + 'static,
) -> AlazyConstant<T> {
    let ttl = ttl.into();
    let cached = Cached::new(Expiring::new(ttl, Instant::now));
    AlazyConstant { function: Rc::new(move || function().task()), ttl, cached }
}

/// Function without arguments that caches its value, made by [`alazy_constant`].
///
/// Clones share the value.
pub struct AlazyConstant<T: 'static> {
    function: Rc<dyn Fn() -> AsyncTask<T>>,
    ttl: Option<Duration>,
    cached: Cached<(), T>,
}

impl<T: Clone + 'static> AlazyConstant<T> {
    /// Caches only values for which `keep` returns `true`.
    #[must_use]
    pub fn keep_if(mut self, keep: impl Fn(&T) -> bool + 'static) -> Self {
        self.cached.keep = Rc::new(keep);
        self
    }

    /// Reads the time from `clock` instead of [`Instant::now`], for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Instant + 'static) -> Self {
        self.cached.store = Rc::new(Expiring::new(self.ttl, clock));
        self
    }

    /// Creates a task for the cached value, or for the value of a pending or new call.
    #[track_caller]
    pub fn asynq(&self) -> AsyncTask<T> {
        static SITE: Site = Site::new("asynq::tools::alazy_constant");
        self.cached.asynq(&SITE, (), || (self.function)())
    }

    /// Calls the function synchronously: returns the value of [`asynq`](Self::asynq).
    ///
    /// # Panics
    ///
    /// If the function panics, or takes part in a deadlock.
    #[track_caller]
    pub fn call(&self) -> T {
        self.asynq().value()
    }

    /// Removes the value: the next call runs the function again. A pending call goes on, but its value is
    /// not cached.
    pub fn dirty(&self) {
        self.cached.dirty(&());
    }
}

/// Cached value and the time of its computation.
struct Expiring<T> {
    value: RefCell<Option<(Rc<T>, Instant)>>,
    ttl: Option<Duration>,
    clock: Box<dyn Fn() -> Instant>,
}

impl<T> Expiring<T> {
    fn new(ttl: Option<Duration>, clock: impl Fn() -> Instant + 'static) -> Self {
        Self { value: RefCell::default(), ttl, clock: Box::new(clock) }
    }
}

impl<T> Store<(), T> for Expiring<T> {
    fn get(&self, (): &()) -> Option<Rc<T>> {
        let (value, since) = self.value.borrow().clone()?;
        let is_fresh = |ttl| (self.clock)().saturating_duration_since(since) < ttl;
        self.ttl.is_none_or(is_fresh).then_some(value)
    }

    fn put(&self, (): (), value: Rc<T>) {
        let now = (self.clock)();
        let _before = self.value.replace(Some((value, now)));
    }

    fn remove(&self, (): &()) {
        let _before = self.value.take();
    }
}

impl<T: 'static> Clone for AlazyConstant<T> {
    fn clone(&self) -> Self {
        let (function, cached) = (Rc::clone(&self.function), self.cached.clone());
        Self { function, ttl: self.ttl, cached }
    }
}

impl<T: 'static> fmt::Debug for AlazyConstant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlazyConstant").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
