//! Calls that are made again when they fail.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_timer::Delay;

use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;

/// Calls `function` again when it returns an `Err`, as `policy` says; the value is that of the last
/// try.
///
/// While it waits between two tries, other tasks run and batches are flushed. A panic is no reason
/// to try again.
///
/// ```
/// use std::cell::Cell;
/// use asynq::{asynq, tools::{Aretry, RetryPolicy, aretry}};
///
/// thread_local! {
///     static FETCH: Aretry<u32, String, &'static str> = aretry(RetryPolicy::new(3), fetch::asynq);
///     static TRIES: Cell<u32> = const { Cell::new(0) };
/// }
///
/// #[asynq]
/// async fn fetch(page: u32) -> Result<String, &'static str> {
///     TRIES.set(TRIES.get() + 1);
///     if TRIES.get() < 3 { Err("the line is busy") } else { Ok(format!("page {page}")) }
/// }
///
/// assert_eq!(FETCH.with(|fetch| fetch.call(7)), Ok("page 7".to_owned()));
/// ```
pub fn aretry<A, T, E>(
    policy: RetryPolicy<E>,
    function: impl Fn(A) -> AsyncTask<Result<T, E>> + 'static,
) -> Aretry<A, T, E> {
    Aretry { policy, function: Rc::new(function) }
}

/// When a call is made again, and how long after it has failed.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
/// use asynq::tools::RetryPolicy;
///
/// let policy = RetryPolicy::<Error>::new(5)
///     .retry_if(|error| error.kind() == ErrorKind::TimedOut)
///     .backoff(|failures| Duration::from_millis(10) * 2_u32.pow(failures));
/// ```
pub struct RetryPolicy<E> {
    max_tries: u32,
    sleep: Rc<dyn Fn(u32) -> Duration>,
    retry_if: Rc<dyn Fn(&E) -> bool>,
    timer: Rc<dyn Fn(Duration) -> Timer>,
}

type Timer = Pin<Box<dyn Future<Output = ()>>>;

impl<E> RetryPolicy<E> {
    /// At most `max_tries` calls, with 50 milliseconds between them, whatever the error.
    ///
    /// # Panics
    ///
    /// If `max_tries` is 0.
    #[must_use]
    pub fn new(max_tries: u32) -> Self {
        assert!(max_tries > 0, "`max_tries` counts the first call as well: give 1 or more");
        Self {
            max_tries,
            sleep: Rc::new(|_| Duration::from_millis(50)),
            retry_if: Rc::new(|_| true),
            timer: Rc::new(|duration| Box::pin(Delay::new(duration))),
        }
    }

    /// Waits for `sleep` between two calls; if that is zero, not at all.
    #[must_use]
    pub fn sleep(self, sleep: Duration) -> Self {
        self.backoff(move |_| sleep)
    }

    /// Waits for `backoff(n)` after `n` calls have failed.
    #[must_use]
    pub fn backoff(mut self, backoff: impl Fn(u32) -> Duration + 'static) -> Self {
        self.sleep = Rc::new(backoff);
        self
    }

    /// Calls again only after errors for which `retry_if` is true.
    #[must_use]
    pub fn retry_if(mut self, retry_if: impl Fn(&E) -> bool + 'static) -> Self {
        self.retry_if = Rc::new(retry_if);
        self
    }

    /// Waits by the future that `timer` makes, such as that of `tokio::time::sleep`. Without this, a
    /// thread in the background keeps the time for all who wait.
    #[must_use]
    pub fn with_timer<F>(mut self, timer: impl Fn(Duration) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        self.timer = Rc::new(move |duration| Box::pin(timer(duration)));
        self
    }
}

/// At most 10 calls, with 50 milliseconds between them, whatever the error.
impl<E> Default for RetryPolicy<E> {
    fn default() -> Self {
        Self::new(10)
    }
}

/// A function that is called again when it fails: made by [`aretry`].
pub struct Aretry<A, T: 'static, E: 'static> {
    policy: RetryPolicy<E>,
    function: Rc<dyn Fn(A) -> AsyncTask<Result<T, E>>>,
}

impl<A: Clone + 'static, T, E> Aretry<A, T, E> {
    /// A task that calls the function, again if need be. Each call gets a clone of the arguments.
    #[track_caller]
    pub fn asynq(&self, arguments: A) -> AsyncTask<Result<T, E>> {
        static SITE: Site = Site::new("asynq::tools::aretry");
        let Self { policy, function } = self.clone();
        AsyncTask::with_site(&SITE, async move {
            for failures in 1..policy.max_tries {
                match function(arguments.clone()).await {
                    Err(error) if (policy.retry_if)(&error) => {}
                    result => return result,
                }
                let sleep = (policy.sleep)(failures);
                if !sleep.is_zero() {
                    (policy.timer)(sleep).await;
                }
            }
            function(arguments).await
        })
    }

    /// The plain call: the value of [`asynq`](Self::asynq), now.
    ///
    /// # Errors
    ///
    /// The error of the last try.
    ///
    /// # Panics
    ///
    /// If the function does, or waits for something that can never come.
    #[track_caller]
    pub fn call(&self, arguments: A) -> Result<T, E> {
        self.asynq(arguments).value()
    }
}

impl<E> Clone for RetryPolicy<E> {
    fn clone(&self) -> Self {
        Self {
            max_tries: self.max_tries,
            sleep: Rc::clone(&self.sleep),
            retry_if: Rc::clone(&self.retry_if),
            timer: Rc::clone(&self.timer),
        }
    }
}

impl<E> fmt::Debug for RetryPolicy<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy").field("max_tries", &self.max_tries).finish_non_exhaustive()
    }
}

impl<A, T, E> Clone for Aretry<A, T, E> {
    fn clone(&self) -> Self {
        Self { policy: self.policy.clone(), function: Rc::clone(&self.function) }
    }
}

impl<A, T, E> fmt::Debug for Aretry<A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aretry").field("policy", &self.policy).finish_non_exhaustive()
    }
}
