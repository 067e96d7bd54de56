//! Pinning a shared task to the scoped values that its key contains.

use std::rc::Rc;

use crate::context::{ScopedValue, with_context};
use crate::task::AsyncTask;

/// Puts a task under the values that scoped values have now.
pub(super) type PinScope<T> = Rc<dyn Fn(AsyncTask<T>) -> AsyncTask<T>>;

/// Pins nothing.
pub(super) fn pin_nothing<T: 'static>() -> PinScope<T> {
    Rc::new(|task| task)
}

/// Pins what `pin` does, and `value`.
pub(super) fn pin_also<T, V>(pin: &PinScope<T>, value: &ScopedValue<V>) -> PinScope<T>
where
    T: 'static,
    V: Clone + 'static,
{
    let (pin, value) = (Rc::clone(pin), value.clone());
    Rc::new(move |task| AsyncTask::new(with_context(value.override_with(value.get()), pin(task))))
}
