//! Calls of functions of either kind, async or not.

use std::cell::Cell;

use crate::futures::{ConstFuture, FutureBase};

/// Calls a function of either kind, and returns a future of its value: the future of asynq that the
/// function returns, or a [`ConstFuture`] of any other value.
///
/// Use it in code that gets functions, such as macros. The kind is determined at compile time.
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

/// Return value of a function.
#[allow(missing_debug_implementations, reason = "only the macro has one")]
pub struct Returned<R>(Cell<Option<R>>);

impl<R> Returned<R> {
    /// Wraps the return value of a function.
    pub const fn new(returned: R) -> Self {
        Self(Cell::new(Some(returned)))
    }

    fn take(&self) -> R {
        self.0.take().expect("the macro takes the value once")
    }
}

/// Method for futures, which a call on `&Returned<R>` finds first: without another reference.
pub trait ReturnedFuture {
    /// Type of the future.
    type Future;
    /// Returns the future.
    fn future(&self) -> Self::Future;
}

impl<R: FutureBase> ReturnedFuture for Returned<R> {
    type Future = R;

    fn future(&self) -> R {
        self.take()
    }
}

/// Method for other values, which a call on `&Returned<R>` finds second.
pub trait ReturnedValue {
    /// Type of the value.
    type Value;
    /// Returns a future of the value.
    fn future(&self) -> ConstFuture<Self::Value>;
}

impl<R> ReturnedValue for &Returned<R> {
    type Value = R;

    fn future(&self) -> ConstFuture<R> {
        ConstFuture::new(self.take())
    }
}
