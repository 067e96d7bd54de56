//! Calls of async functions: decorators, methods, arguments.

pub(crate) mod args;
pub(crate) mod binder;
pub(crate) mod decorator;
pub(crate) mod decorator_base;
pub(crate) mod sync;
