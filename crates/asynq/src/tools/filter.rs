//! Filtering by an async predicate.

use super::map::map_then;
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
    map_then(&SITE, predicate, elements, |tested| pick(tested, true))
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
    map_then(&SITE, predicate, elements, |tested| pick(tested, false))
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
    map_then(&SITE, predicate, elements, |tested| {
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        for (result, element) in tested {
            if result { &mut accepted } else { &mut rejected }.push(element);
        }
        (accepted, rejected)
    })
}

/// Selects the elements whose result is `wanted`.
fn pick<T>(tested: impl Iterator<Item = (bool, T)>, wanted: bool) -> Vec<T> {
    tested.filter_map(|(result, element)| (result == wanted).then_some(element)).collect()
}
