//! The batch function of a loader, whatever it returns.

use super::function::{BatchFunction, Called};

/// Defines the types of the batch functions of a trait. They and their futures have these bounds.
macro_rules! fetch {
    ($function:ident, owned by: $own:expr, functions: [$($sync:ident)*], futures: [$($send:ident)*]) => {
        /// The answer of a batch function.
        pub(super) struct Fetched<K, V> {
            pub(super) give: GiveValues<K, V>,
            /// Time of the call, if another thread has called the function.
            pub(super) span: Option<::std::ops::Range<::std::time::Duration>>,
        }

        /// Calls a callback with the index of each key of a batch, and the value or error that the function
        /// returned for it.
        type GiveValues<K, V> = Box<
            dyn FnOnce(
                    &[K],
                    &mut dyn FnMut(usize, Option<Result<V, $crate::batch::BoxError>>),
                ) -> Result<(), $crate::batch::BoxError>
                $(+ $send)*,
        >;

        type Call<K, V> = Box<dyn Fn(Vec<K>) -> Called<Fetched<K, V>> $(+ $sync)*>;

        /// A batch function of any return type.
        pub(super) struct Fetch<K, V> {
            call: Call<K, V>,
            is_async: bool,
            /// Describes the function.
            pub(super) site: &'static $crate::call_stack::Site,
        }

        impl<K: 'static, V: 'static> Fetch<K, V> {
            /// Wraps `function`; `convert` makes the value or error of a key of what it returns.
            pub(super) fn new<W, Kind, F>(
                function: F,
                convert: impl Fn(W) -> Result<V, $crate::batch::BoxError> + Copy + $($sync +)* 'static,
            ) -> Self
            where
                F: $function<K, Kind, Answer: $crate::loader::answer::Answer<K, Value = W>>,
            {
                use $crate::loader::answer::Answer;

                let fetched = move |answer: F::Answer| -> Fetched<K, V> {
                    let span = answer.span();
                    let give: GiveValues<K, V> = Box::new(move |keys, give| {
                        answer.give_values(keys, &mut |index, value| give(index, value.map(convert)))
                    });
                    Fetched { give, span }
                };
                let function = $own(function);
                let call = move |keys| match function.call(keys) {
                    Called::Now(answer) => Called::Now(fetched(answer)),
                    Called::Later(answer) => {
                        Called::Later(Box::pin(async move { fetched(answer.await) }))
                    }
                };
                let site = $crate::call_stack::Site::of_batch_function::<F>();
                Self { call: Box::new(call), is_async: F::IS_ASYNC, site }
            }

            /// Returns whether the function returns a future.
            pub(super) fn is_async(&self) -> bool {
                self.is_async
            }

            pub(super) fn call(&self, keys: Vec<K>) -> Called<Fetched<K, V>> {
                (self.call)(keys)
            }
        }
    };
}
pub(super) use fetch;

fetch!(BatchFunction, owned by: std::convert::identity, functions: [Send Sync], futures: [Send]);
