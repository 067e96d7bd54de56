//! Contexts, which follow the task that entered them.

mod scoped_value;
mod with_context;

pub use self::scoped_value::{ScopedOverride, ScopedValue};
pub use self::with_context::{
    AsyncContext, NonAsyncContext, WithContext, call_with_context, with_context,
};
