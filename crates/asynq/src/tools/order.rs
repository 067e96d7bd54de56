//! Ordering by an async key.

use super::map::map_then;
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;

/// Sorts the elements by an async key: `sort_by_key` for an async function. The key is computed once per
/// element, and all keys are awaited together. Elements with equal keys keep their order.
///
/// The function owns its argument, so it gets clones of the elements. For descending order, return a
/// [`Reverse`](std::cmp::Reverse).
///
/// # Panics
///
/// The task panics if a call of the function does: with the first panic in order, after all other calls
/// have ended.
///
/// ```
/// use asynq::{asynq, FutureBase, tools::asorted};
///
/// #[asynq]
/// async fn length(word: &'static str) -> usize {
///     word.len()
/// }
///
/// assert_eq!(asorted(["two", "three", "one"], length::asynq).value(), ["two", "one", "three"]);
/// ```
#[track_caller]
pub fn asorted<T, R>(
    elements: impl IntoIterator<Item = T>,
    key: impl FnMut(T) -> R,
) -> AsyncTask<Vec<T>>
where
    T: Clone + 'static,
    R: FutureBase<Output: Ord> + 'static,
{
    static SITE: Site = Site::new("asynq::tools::asorted");
    map_then(&SITE, key, elements, |keyed| {
        let mut keyed: Vec<_> = keyed.collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        keyed.into_iter().map(|(_, element)| element).collect()
    })
}

/// Returns the element with the largest key (the last of several), or `None` if there are no elements:
/// `max_by_key` for an async function. All keys are awaited together.
///
/// # Panics
///
/// As [`asorted`].
///
/// ```
/// use asynq::{ConstFuture, FutureBase, tools::amax};
///
/// let length = |word: &'static str| ConstFuture::new(word.len());
/// assert_eq!(amax(["one", "three", "two"], length).value(), Some("three"));
/// ```
#[track_caller]
pub fn amax<T, R>(
    elements: impl IntoIterator<Item = T>,
    key: impl FnMut(T) -> R,
) -> AsyncTask<Option<T>>
where
    T: Clone + 'static,
    R: FutureBase<Output: Ord> + 'static,
{
    static SITE: Site = Site::new("asynq::tools::amax");
    map_then(&SITE, key, elements, |keyed| {
        keyed.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, element)| element)
    })
}

/// Returns the element with the smallest key (the first of several), or `None` if there are no elements:
/// `min_by_key` for an async function. All keys are awaited together.
///
/// # Panics
///
/// As [`asorted`].
///
/// ```
/// use asynq::{ConstFuture, FutureBase, tools::amin};
///
/// let length = |word: &'static str| ConstFuture::new(word.len());
/// assert_eq!(amin(["three", "one", "two"], length).value(), Some("one"));
/// ```
#[track_caller]
pub fn amin<T, R>(
    elements: impl IntoIterator<Item = T>,
    key: impl FnMut(T) -> R,
) -> AsyncTask<Option<T>>
where
    T: Clone + 'static,
    R: FutureBase<Output: Ord> + 'static,
{
    static SITE: Site = Site::new("asynq::tools::amin");
    map_then(&SITE, key, elements, |keyed| {
        keyed.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, element)| element)
    })
}
