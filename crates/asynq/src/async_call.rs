//! Calls of functions that may be async or not.

use std::cell::Cell;

use crate::futures::{ConstFuture, FutureBase};

/// Calls a function of either kind, and gives a future of its value: if it returns a future of
/// asynq, that; otherwise what it returned, as a [`ConstFuture`].
///
/// For code that is handed functions, in macros above all: which of the two it is is decided when
/// it is compiled.
///
/// ```
/// use asynq::{FutureBase, async_call, asynq};
///
/// #[asynq]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// fn triple(n: u32) -> u32 {
///     3 * n
/// }
///
/// assert_eq!(async_call!(double::asynq, 2).value(), 4);
/// assert_eq!(async_call!(triple, 2).value(), 6);
/// ```
#[macro_export]
macro_rules! async_call {
    ($function:expr $(, $argument:expr)* $(,)?) => {{
        #[allow(unused_imports, reason = "one of them is used")]
        use $crate::plumbing::{ReturnedFuture as _, ReturnedValue as _};
        (&$crate::plumbing::Returned::new($function($($argument),*))).future()
    }};
}

/// What a function returned.
#[allow(missing_debug_implementations, reason = "only the macro has one")]
pub struct Returned<R>(Cell<Option<R>>);

impl<R> Returned<R> {
    /// What a function returned.
    pub const fn new(returned: R) -> Self {
        Self(Cell::new(Some(returned)))
    }

    fn take(&self) -> R {
        self.0.take().expect("asked once, by the macro")
    }
}

/// A call on `&Returned<R>` finds this first, without another reference.
pub trait ReturnedFuture {
    /// The future that the function returned.
    type Future;
    /// That future.
    fn future(&self) -> Self::Future;
}

impl<R: FutureBase> ReturnedFuture for Returned<R> {
    type Future = R;

    fn future(&self) -> R {
        self.take()
    }
}

/// And this second, if the other is not there.
pub trait ReturnedValue {
    /// The value that the function returned.
    type Value;
    /// A future of that value.
    fn future(&self) -> ConstFuture<Self::Value>;
}

impl<R> ReturnedValue for &Returned<R> {
    type Value = R;

    fn future(&self) -> ConstFuture<R> {
        ConstFuture::new(self.take())
    }
}
