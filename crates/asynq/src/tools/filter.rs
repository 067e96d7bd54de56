//! Filtering by an async predicate.

use std::iter::zip;

use super::amap;
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;

/// Selects the elements for which an async predicate is true, in order: `filter` for an async function.
/// All calls of the predicate are awaited together.
///
/// The predicate owns its argument, so it gets clones of the elements; use `Rc`s for elements that are
/// expensive to clone.
///
/// # Panics
///
/// The task panics if a call of the predicate does: with the first panic in order, after all other
/// calls have ended.
///
/// ```
/// use asynq::{asynq, FutureBase, tools::afilter};
///
/// #[asynq]
/// async fn is_even(n: u32) -> bool {
///     n % 2 == 0
/// }
///
/// assert_eq!(afilter(is_even::asynq, 1..=6).value(), [2, 4, 6]);
/// ```
#[track_caller]
pub fn afilter<T, R>(
    predicate: impl FnMut(T) -> R,
    elements: impl IntoIterator<Item = T>,
) -> AsyncTask<Vec<T>>
where
    T: Clone + 'static,
    R: FutureBase<Output = bool> + 'static,
{
    static SITE: Site = Site::new("asynq::tools::afilter");
    let elements: Vec<T> = elements.into_iter().collect();
    let results = amap(predicate, elements.iter().cloned());
    AsyncTask::with_site(&SITE, async move { pick(elements, results.await, true) })
}

/// Selects the elements for which an async predicate is false, which [`afilter`] leaves out.
///
/// # Panics
///
/// As [`afilter`].
///
/// ```
/// use asynq::{ConstFuture, FutureBase, tools::afilterfalse};
///
/// assert_eq!(afilterfalse(|n| ConstFuture::new(n % 2 == 0), 1..=6).value(), [1, 3, 5]);
/// ```
#[track_caller]
pub fn afilterfalse<T, R>(
    predicate: impl FnMut(T) -> R,
    elements: impl IntoIterator<Item = T>,
) -> AsyncTask<Vec<T>>
where
    T: Clone + 'static,
    R: FutureBase<Output = bool> + 'static,
{
    static SITE: Site = Site::new("asynq::tools::afilterfalse");
    let elements: Vec<T> = elements.into_iter().collect();
    let results = amap(predicate, elements.iter().cloned());
    AsyncTask::with_site(&SITE, async move { pick(elements, results.await, false) })
}

/// Divides the elements into those for which an async predicate is true, and the others: `partition` for
/// an async function.
///
/// # Panics
///
/// As [`afilter`].
///
/// ```
/// use asynq::{ConstFuture, FutureBase, tools::asift};
///
/// let (even, odd) = asift(|n| ConstFuture::new(n % 2 == 0), 1..=6).value();
/// assert_eq!((even, odd), (vec![2, 4, 6], vec![1, 3, 5]));
/// ```
#[track_caller]
pub fn asift<T, R>(
    predicate: impl FnMut(T) -> R,
    elements: impl IntoIterator<Item = T>,
) -> AsyncTask<(Vec<T>, Vec<T>)>
where
    T: Clone + 'static,
    R: FutureBase<Output = bool> + 'static,
{
    static SITE: Site = Site::new("asynq::tools::asift");
    let elements: Vec<T> = elements.into_iter().collect();
    let results = amap(predicate, elements.iter().cloned());
    AsyncTask::with_site(&SITE, async move {
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        for (element, result) in zip(elements, results.await) {
            if result { &mut accepted } else { &mut rejected }.push(element);
        }
        (accepted, rejected)
    })
}

/// Selects the elements whose result is `wanted`.
fn pick<T>(elements: Vec<T>, results: Vec<bool>, wanted: bool) -> Vec<T> {
    zip(elements, results)
        .filter_map(|(element, result)| (result == wanted).then_some(element))
        .collect()
}
