//! The batch function of a loader.

use super::answer::{Answer, Fetched, Returned};
use crate::batch::BoxError;

/// Gives the keys of a batch, by their places, what was returned for them.
pub(super) type Give<K, V> = Box<
    dyn FnOnce(&[&K], &mut dyn FnMut(usize, Option<Result<V, BoxError>>)) -> Result<(), BoxError>,
>;

type Call<K, V> = Box<dyn Fn(Vec<K>) -> Fetched<Give<K, V>>>;

/// A batch function, whatever it returns.
pub(super) struct Fetch<K, V> {
    call: Call<K, V>,
    is_async: bool,
}

impl<K, V> Fetch<K, V> {
    /// Of what `function` returns for a key, `convert` makes the value or error of its loads.
    pub(super) fn new<W, Kind, R>(
        function: impl Fn(Vec<K>) -> R + 'static,
        convert: impl Fn(W) -> Result<V, BoxError> + Copy + 'static,
    ) -> Self
    where
        R: Returned<K, Kind, Answer: Answer<K, Value = W>>,
    {
        let give = move |answer: R::Answer| -> Give<K, V> {
            Box::new(move |keys, give| {
                answer.give(keys, &mut |place, value| give(place, value.map(convert)))
            })
        };
        let call = move |keys| match function(keys).into_fetched() {
            Fetched::Now(answer) => Fetched::Now(give(answer)),
            Fetched::Later(answer) => Fetched::Later(Box::pin(async move { give(answer.await) })),
        };
        Self { call: Box::new(call), is_async: R::IS_ASYNC }
    }

    /// Whether it returns a future.
    pub(super) fn is_async(&self) -> bool {
        self.is_async
    }

    pub(super) fn call(&self, keys: Vec<K>) -> Fetched<Give<K, V>> {
        (self.call)(keys)
    }
}
