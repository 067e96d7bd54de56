//! A few values in one allocation, each of them pinned.

use std::pin::Pin;

use pin_project_lite::pin_project;

/// Defines [`Chunk`]. The elements of a slice cannot be pinned without `unsafe`, but fields can.
macro_rules! chunk {
    ($count:literal: $($index:literal $field:ident),+) => {
        pin_project! {
            /// Pinned values, in one place.
            pub(super) struct Chunk<T> {
                $(#[pin] $field: T,)+
            }
        }

        impl<T> Chunk<T> {
            /// Number of the values.
            pub(super) const LEN: u8 = $count;

            /// Fills a chunk with what `next` returns.
            pub(super) fn fill(mut next: impl FnMut() -> T) -> Self {
                Self { $($field: next()),+ }
            }

            /// Returns the value at `index`, which is less than [`LEN`](Self::LEN).
            #[inline]
            pub(super) fn at(self: Pin<&Self>, index: u8) -> Pin<&T> {
                let this = self.project_ref();
                match index {
                    $($index => this.$field,)+
                    _ => unreachable!("a chunk has {} values", Self::LEN),
                }
            }

            /// Calls `f` with each value.
            #[inline]
            pub(super) fn each(self: Pin<&mut Self>, mut f: impl FnMut(Pin<&mut T>)) {
                let this = self.project();
                $(f(this.$field);)+
            }

            /// Returns the value at `index`, which is less than [`LEN`](Self::LEN).
            #[inline]
            pub(super) fn at_mut(self: Pin<&mut Self>, index: usize) -> Pin<&mut T> {
                let this = self.project();
                match index {
                    $($index => this.$field,)+
                    _ => unreachable!("a chunk has {} values", Self::LEN),
                }
            }
        }
    };
}

chunk!(4: 0 a, 1 b, 2 c, 3 d);
