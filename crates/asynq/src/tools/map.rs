//! Mapping by an async function.

use std::iter::{Zip, zip};
use std::vec::IntoIter;

use crate::call_stack::Site;
use crate::futures::{All, FutureBase, all};
use crate::task::AsyncTask;

/// Calls an async function with each of the elements, and awaits the calls together: `map` for an
/// async function. The value is a `Vec` in the order of the elements.
///
/// The same as [`all`] of the mapped iterator, with the same panics.
///
/// ```
/// use asynq::{FutureBase, asynq, tools::amap};
///
/// #[asynq]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// assert_eq!(amap(double::asynq, 1..=3).value(), [2, 4, 6]);
/// ```
pub fn amap<T, R: FutureBase>(
    function: impl FnMut(T) -> R,
    elements: impl IntoIterator<Item = T>,
) -> All<R::JoinedAll> {
    all(elements.into_iter().map(function))
}

/// Returns a task that awaits the calls for all elements together, and resolves to what `finish` makes of each
/// result beside its element.
#[track_caller]
pub(super) fn map_then<T, R, V>(
    site: &'static Site,
    function: impl FnMut(T) -> R,
    elements: impl IntoIterator<Item = T>,
    finish: impl FnOnce(Zip<IntoIter<R::Output>, IntoIter<T>>) -> V + 'static,
) -> AsyncTask<V>
where
    T: Clone + 'static,
    R: FutureBase + 'static,
    V: 'static,
{
    let elements: Vec<T> = elements.into_iter().collect();
    let results = amap(function, elements.iter().cloned());
    AsyncTask::with_site(site, async move { finish(zip(results.await, elements)) })
}
