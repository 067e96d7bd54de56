//! The batch function of a loader.

use super::answer::{Answer, Fetched, Returned};
use crate::batch::BoxError;

/// Calls a callback with the index of each key of a batch, and the value or error that the function
/// returned for it.
pub(super) type GiveValues<K, V> = Box<
    dyn FnOnce(&[K], &mut dyn FnMut(usize, Option<Result<V, BoxError>>)) -> Result<(), BoxError>,
>;

type Call<K, V> = Box<dyn Fn(Vec<K>) -> Fetched<GiveValues<K, V>>>;

/// A batch function of any return type.
pub(super) struct Fetch<K, V> {
    call: Call<K, V>,
    is_async: bool,
}

impl<K, V> Fetch<K, V> {
    /// Wraps `function`; `convert` makes the value or error of a key of what it returns.
    pub(super) fn new<W, Kind, R>(
        function: impl Fn(Vec<K>) -> R + 'static,
        convert: impl Fn(W) -> Result<V, BoxError> + Copy + 'static,
    ) -> Self
    where
        R: Returned<K, Kind, Answer: Answer<K, Value = W>>,
    {
        let give = move |answer: R::Answer| -> GiveValues<K, V> {
            Box::new(move |keys, give| {
                answer.give_values(keys, &mut |index, value| give(index, value.map(convert)))
            })
        };
        let call = move |keys| match function(keys).into_fetched() {
            Fetched::Now(answer) => Fetched::Now(give(answer)),
            Fetched::Later(answer) => Fetched::Later(Box::pin(async move { give(answer.await) })),
        };
        Self { call: Box::new(call), is_async: R::IS_ASYNC }
    }

    /// Returns whether the function returns a future.
    pub(super) fn is_async(&self) -> bool {
        self.is_async
    }

    pub(super) fn call(&self, keys: Vec<K>) -> Fetched<GiveValues<K, V>> {
        (self.call)(keys)
    }
}
