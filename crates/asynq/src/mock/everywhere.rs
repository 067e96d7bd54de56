//! Mocks of all threads.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::Function;
use crate::task::{AsyncCall, ValueOf};

/// Makes the `ValueOf` of a call.
pub(super) type Replacement<Args> = Box<dyn Fn(Args) -> Box<dyn Any + Send> + Send + Sync>;

struct Registered {
    thread: ThreadId,
    /// A `Replacement`.
    replacement: Arc<dyn Any + Send + Sync>,
}

static MOCKS: Mutex<Option<HashMap<TypeId, Registered>>> = Mutex::new(None);
static REMOVED: Condvar = Condvar::new();

fn mocks() -> MutexGuard<'static, Option<HashMap<TypeId, Registered>>> {
    MOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Guard of a mock in all threads: dropping it restores the function.
#[must_use = "the function is replaced until this is dropped"]
pub struct MockEverywhere<Args> {
    function: TypeId,
    name: &'static str,
    calls: Arc<Mutex<Vec<Args>>>,
}

/// Replaces an async function by a plain one in all threads, such as those of a runtime whose handlers call it. A mock
/// of the thread itself ([`replace`](super::replace)) comes first.
///
/// Tests run in several threads. So a function has one such mock at a time, and a second thread waits here until that
/// of the first is dropped.
///
/// # Panics
///
/// If this thread has replaced the function everywhere before.
///
/// ```
/// use asynq::{asynq, mock};
///
/// #[asynq]
/// async fn name(id: u32) -> String {
///     panic!("there is no database here, to ask for {id}")
/// }
///
/// let named = mock::replace_everywhere(name::asynq, |id: u32| format!("user {id}"));
/// let handler = std::thread::spawn(|| name(7));
/// assert_eq!(handler.join().unwrap(), "user 7");
/// assert_eq!(named.calls(), [(7,)]);
/// ```
pub fn replace_everywhere<F, Args, T>(
    _: F,
    replacement: impl Function<Args, Output = T> + Send + Sync + 'static,
) -> MockEverywhere<Args>
where
    F: Function<Args, Output: AsyncCall<Output = T>> + 'static,
    Args: Clone + Send + 'static,
    T: 'static,
{
    let calls = Arc::<Mutex<Vec<Args>>>::default();
    let record = Arc::clone(&calls);
    let replacement = Arc::new(replacement);
    let call: Replacement<Args> = Box::new(move |arguments: Args| {
        let recorded = arguments.clone();
        record.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        let replacement = Arc::clone(&replacement);
        let value: ValueOf<T> = Box::new(move || replacement.call(arguments));
        Box::new(value)
    });
    let (function, name) = (TypeId::of::<F>(), type_name::<F>());
    register(function, name, Arc::new(call));
    MockEverywhere { function, name, calls }
}

fn register(function: TypeId, name: &str, replacement: Arc<dyn Any + Send + Sync>) {
    let thread = thread::current().id();
    let mut mocks = mocks();
    while let Some(other) = mocks.as_ref().and_then(|mocks| mocks.get(&function)) {
        if other.thread == thread {
            drop(mocks);
            panic!("{name} is replaced everywhere already: drop the first mock before");
        }
        mocks = REMOVED.wait(mocks).unwrap_or_else(PoisonError::into_inner);
    }
    mocks.get_or_insert_default().insert(function, Registered { thread, replacement });
}

/// Returns the mock of `function` in all threads.
pub(super) fn find<Args: 'static>(function: TypeId) -> Option<Arc<Replacement<Args>>> {
    let replacement = Arc::clone(&mocks().as_ref()?.get(&function)?.replacement);
    replacement.downcast().ok()
}

impl<Args: Clone> MockEverywhere<Args> {
    /// Returns the arguments of each call so far, as tuples.
    pub fn calls(&self) -> Vec<Args> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<Args> Drop for MockEverywhere<Args> {
    fn drop(&mut self) {
        let removed = mocks().as_mut().and_then(|mocks| mocks.remove(&self.function));
        REMOVED.notify_all();
        // It owns values of users.
        drop(removed);
    }
}

impl<Args> fmt::Debug for MockEverywhere<Args> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MockEverywhere({})", self.name)
    }
}
