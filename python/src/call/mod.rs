//! Calls of async functions: decorators, bound methods, arguments, synchronous calls.

pub(crate) mod args;
pub(crate) mod binder;
mod binder_methods;
pub(crate) mod decorator;
pub(crate) mod decorator_base;
mod fast_methods;
pub(crate) mod pure_decorator;
pub(crate) mod sync;
