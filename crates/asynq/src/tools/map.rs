//! Mapping by an async function.

use crate::futures::{All, FutureBase, all};

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
