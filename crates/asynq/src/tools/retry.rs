//! Retries of calls that fail.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use crate::call_stack::Site;
use crate::clock;
use crate::futures::FutureBase;
use crate::scheduler::woken_by_thread;
use crate::task::{AsyncCall, AsyncTask};

/// Creates a function that calls `function` again when it returns an `Err`, as `policy` allows, and
/// returns the result of the last call.
///
/// Other tasks run, and batches are flushed, between two calls. A panic is not retried.
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
pub fn aretry<A, T, E, C>(
    policy: RetryPolicy<E>,
    function: impl Fn(A) -> C + 'static,
) -> Aretry<A, T, E>
where
    C: AsyncCall<Output = Result<T, E>>,
{
    Aretry { policy, function: Rc::new(move |arguments| function(arguments).task()) }
}

/// Conditions and delays of retries.
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
    /// Creates a policy of at most `max_tries` calls (including the first), with 50 milliseconds between
    /// them, for any error.
    ///
    /// # Panics
    ///
    /// If `max_tries` is 0.
    #[must_use]
    pub fn new(max_tries: u32) -> Self {
        assert!(
            max_tries > 0,
            "`max_tries` must be 1 or more, since it includes the first call, got 0"
        );
        Self {
            max_tries,
            sleep: Rc::new(|_| Duration::from_millis(50)),
            retry_if: Rc::new(|_| true),
            timer: Rc::new(|duration| Box::pin(woken_by_thread(clock::wait_by_thread(duration)))),
        }
    }

    /// Waits for `sleep` between two calls, or not at all if that is zero.
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

    /// Retries only after errors for which `retry_if` returns `true`.
    #[must_use]
    pub fn retry_if(mut self, retry_if: impl Fn(&E) -> bool + 'static) -> Self {
        self.retry_if = Rc::new(retry_if);
        self
    }

    /// Waits for the future that `timer` returns, such as `tokio::time::sleep`. By default, one background
    /// thread serves all timers.
    #[must_use]
    pub fn with_timer<F>(mut self, timer: impl Fn(Duration) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        self.timer = Rc::new(move |duration| Box::pin(timer(duration)));
        self
    }
}

/// Creates a policy of at most 10 calls, with 50 milliseconds between them, for any error.
impl<E> Default for RetryPolicy<E> {
    fn default() -> Self {
        Self::new(10)
    }
}

/// Function that is called again when it fails, made by [`aretry`].
pub struct Aretry<A, T: 'static, E: 'static> {
    policy: RetryPolicy<E>,
    function: Rc<dyn Fn(A) -> AsyncTask<Result<T, E>>>,
}

impl<A: Clone + 'static, T, E> Aretry<A, T, E> {
    /// Creates a task that calls the function, and retries. Each call gets a clone of the arguments.
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

    /// Calls the function synchronously: returns the value of [`asynq`](Self::asynq).
    ///
    /// # Errors
    ///
    /// The error of the last call.
    ///
    /// # Panics
    ///
    /// If the function panics, or takes part in a deadlock.
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
