//! Futures in a shape, as a join holds them.

use crate::scheduler::Requester;

/// Futures in a shape.
pub trait Parts: Unpin {
    /// Their values, in the same shape.
    type Output;
    #[doc(hidden)]
    fn request(&mut self, requester: &Requester<'_>) -> bool;
    #[doc(hidden)]
    fn is_computed(&self) -> bool;
    #[doc(hidden)]
    fn take(&mut self) -> Self::Output;
    #[doc(hidden)]
    fn on_computed(&self, callback: Box<dyn FnOnce()>);
}
