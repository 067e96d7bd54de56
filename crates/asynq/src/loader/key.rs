//! Keys of loaders.

use std::fmt;
use std::hash::Hash;

/// Key of a loader.
///
/// Equal keys are requested once. For a type that is not `Eq` or `Hash`, or of which a part says which
/// keys are equal, make a newtype:
///
/// ```
/// use std::hash::{Hash, Hasher};
/// use asynq::{FutureBase, Loader};
///
/// /// A search for rows of a score.
/// #[derive(Clone, Debug)]
/// struct Search {
///     text: String,
///     min_score: f64,
/// }
///
/// impl Search {
///     fn key(&self) -> (&str, u64) {
///         (&self.text, self.min_score.to_bits())
///     }
/// }
///
/// impl PartialEq for Search {
///     fn eq(&self, other: &Self) -> bool {
///         self.key() == other.key()
///     }
/// }
///
/// impl Eq for Search {}
///
/// impl Hash for Search {
///     fn hash<H: Hasher>(&self, state: &mut H) {
///         self.key().hash(state);
///     }
/// }
///
/// let hits = Loader::new(|searches: Vec<Search>| {
///     searches.iter().map(|search| search.text.len()).collect::<Vec<_>>()
/// });
/// let search = Search { text: "ann".to_owned(), min_score: 0.5 };
/// assert_eq!(hits.load_many([search.clone(), search]).value().unwrap(), [3, 3]);
/// assert_eq!(hits.stats().keys, 1);
/// ```
pub trait Key: Clone + Eq + Hash + fmt::Debug + 'static {}

impl<K: Clone + Eq + Hash + fmt::Debug + 'static> Key for K {}

/// Returns a key as errors name it.
pub(super) fn name(key: &impl fmt::Debug) -> String {
    format!("{key:?}")
}
