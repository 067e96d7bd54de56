//! Loaders by functions that block their thread.

use std::convert::identity;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::answer::{Answer, ThreadAnswer};
use super::handle::Loader;
use super::key::Key;
use super::local::LocalLoader;
use crate::batch::BoxError;
use crate::call_stack::Site;
use crate::debug::format_asynq_stack;
use crate::scheduler::woken_by_thread;
use crate::worker::{Job, run_on, unblock};

/// Implements the constructors of a loader whose keys, values and executors have these bounds.
macro_rules! blocking {
    (
        $loader:ident, keys: [$($key_bounds:tt)*], values: [$($value_bounds:tt)*],
        executors: [$($send:ident)*], form of functions: $form:expr
    ) => {
        /// # Functions that block
        impl<K: $($key_bounds)*, V: $($value_bounds)*> $loader<K, V> {
            /// Creates a loader by a `function` that blocks its thread. It runs on a worker thread, so its
            /// batches overlap with those of other sources.
            ///
            /// There are at most 500 worker threads in a process, or as many as the environment variable
            /// `BLOCKING_MAX_THREADS` says; further batches wait for one. If the function calls such a loader
            /// itself, the batch runs on the same thread. 32 nested ones count as an endless recursion and panic.
            ///
            /// On the worker thread, the asynq stack is the one of the flush, and so is the `tracing` span
            /// (with that feature). Contexts and thread-locals are not available there, nor is a
            /// [`ScopedValue`](crate::ScopedValue). Put their values into the key; or read them in the
            /// function of a [`new`](Self::new) loader, which runs here and can return a future of the work on
            /// a thread.
            #[track_caller]
            pub fn blocking<A>(function: impl Fn(Vec<K>) -> A + Send + Sync + 'static) -> Self
            where
                A: Answer<K, Value = V> + Send + 'static,
            {
                let site = site_of(&function);
                Self::new($form(on_worker_thread(function))).set(|settings| settings.function = site)
            }

            /// Creates a loader by a `function` that blocks its thread and returns a `Result` for each key: see
            /// [`blocking`](Self::blocking) and [`try_new`](Self::try_new).
            #[track_caller]
            pub fn try_blocking<A, E>(function: impl Fn(Vec<K>) -> A + Send + Sync + 'static) -> Self
            where
                A: Answer<K, Value = Result<V, E>> + Send + 'static,
                E: Into<BoxError>,
            {
                let site = site_of(&function);
                Self::try_new($form(on_worker_thread(function))).set(|settings| settings.function = site)
            }

            /// Creates a loader by a `function` that blocks its thread and runs in an executor of your own: a
            /// thread pool whose threads have connections, for example. `executor` gets each call as a closure,
            /// which it runs on any thread. If it drops the closure, the batch fails.
            ///
            /// A function that calls another loader with the same executor needs a further thread of it. Calls of
            /// [`blocking`](Self::blocking) loaders run on the same thread. The rest is as described there.
            ///
            /// ```
            /// use std::sync::mpsc;
            /// use asynq::loader::Job;
            #[doc = concat!(" use asynq::{FutureBase, ", stringify!($loader), "};")]
            ///
            /// let (jobs, received) = mpsc::channel::<Job>();
            /// std::thread::spawn(move || received.into_iter().for_each(|job| job()));
            ///
            /// let executor = move |job| jobs.send(job).unwrap();
            #[doc = concat!(" let square = ", stringify!($loader), "::blocking_on(executor, |ns: Vec<u32>| {")]
            ///     ns.iter().map(|n| n * n).collect::<Vec<_>>()
            /// });
            /// assert_eq!(square.load(3).value().unwrap(), 9);
            /// ```
            #[track_caller]
            pub fn blocking_on<A>(
                executor: impl Fn(Job) + $($send +)* 'static,
                function: impl Fn(Vec<K>) -> A + Send + Sync + 'static,
            ) -> Self
            where
                A: Answer<K, Value = V> + Send + 'static,
            {
                let site = site_of(&function);
                Self::new($form(on_executor(executor, function))).set(|settings| settings.function = site)
            }

            /// Creates a loader by a `function` that blocks its thread, runs in an executor of your own, and
            /// returns a `Result` for each key: see [`blocking_on`](Self::blocking_on) and
            /// [`try_new`](Self::try_new).
            #[track_caller]
            pub fn try_blocking_on<A, E>(
                executor: impl Fn(Job) + $($send +)* 'static,
                function: impl Fn(Vec<K>) -> A + Send + Sync + 'static,
            ) -> Self
            where
                A: Answer<K, Value = Result<V, E>> + Send + 'static,
                E: Into<BoxError>,
            {
                let site = site_of(&function);
                Self::try_new($form(on_executor(executor, function))).set(|settings| settings.function = site)
            }
        }
    };
}

blocking!(
    Loader, keys: [Key + Send + Sync], values: [Clone + Send + 'static], executors: [Send Sync],
    form of functions: identity
);
blocking!(
    LocalLoader, keys: [Key + Send], values: [Clone + 'static], executors: [],
    form of functions: into_async
);

/// Returns the description of a batch function.
fn site_of<F>(_: &F) -> &'static Site {
    Site::of_batch_function::<F>()
}

/// Future of the answer of another thread.
type Blocking<A> = Pin<Box<dyn Future<Output = A> + Send>>;

/// Returns a function that returns a future as an async function.
fn into_async<K, A>(function: impl Fn(Vec<K>) -> Blocking<A>) -> impl AsyncFn(Vec<K>) -> A {
    move |keys: Vec<K>| function(keys)
}

/// Wraps a function so that it runs on a worker thread.
fn on_worker_thread<K, A>(
    function: impl Fn(Vec<K>) -> A + Send + Sync + 'static,
) -> impl Fn(Vec<K>) -> Blocking<ThreadAnswer<A>> + Clone
where
    K: Send + 'static,
    A: Send + 'static,
{
    let function = Arc::new(function);
    move |keys: Vec<K>| Box::pin(unblock(call(&function, keys)))
}

/// Wraps a function so that it runs in an executor.
fn on_executor<K, A>(
    executor: impl Fn(Job) + 'static,
    function: impl Fn(Vec<K>) -> A + Send + Sync + 'static,
) -> impl Fn(Vec<K>) -> Blocking<Result<ThreadAnswer<A>, BoxError>> + Clone
where
    K: Send + 'static,
    A: Send + 'static,
{
    let (executor, function) = (Arc::new(executor), Arc::new(function));
    move |keys: Vec<K>| {
        let answer = run_on(&*executor, call(&function, keys));
        Box::pin(async move { woken_by_thread(answer).await.ok_or_else(|| DROPPED.into()) })
    }
}

const DROPPED: &str = "the executor dropped the batch before it had run";

/// Returns a call of a function for another thread, with the asynq stack and span of this one.
fn call<K, A, F>(
    function: &Arc<F>,
    keys: Vec<K>,
) -> impl FnOnce() -> ThreadAnswer<A> + Send + use<K, A, F>
where
    K: Send + 'static,
    A: Send + 'static,
    F: Fn(Vec<K>) -> A + Send + Sync + 'static,
{
    let function = Arc::clone(function);
    let stack = format_asynq_stack().unwrap_or_default();
    #[cfg(feature = "tracing")]
    let span = tracing::Span::current();
    move || {
        #[cfg(feature = "tracing")]
        let _inside = span.enter();
        ThreadAnswer::of(|| stack.beneath(|| function(keys)))
    }
}
