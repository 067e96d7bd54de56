//! Contexts, which follow the task that entered them.

mod async_context;
mod non_async_context;
mod scoped_value;
mod with_context;

pub use self::async_context::AsyncContext;
pub use self::non_async_context::NonAsyncContext;
pub use self::scoped_value::{ScopedOverride, ScopedValue};
pub use self::with_context::{WithContext, call_with_context, with_context};
