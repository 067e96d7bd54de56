//! The keys that a loader asks for together: a batch like any other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::cache::Place;
use super::error::LoadError;
use super::handle::{Key, Shared};
use super::sent_batch::Flight;
use crate::batch::{Batch, Flush, FlushStep, Items};

/// The [`Batch`] of a [`Loader`](super::Loader).
pub struct Keys<K: Key, V: Clone + 'static> {
    shared: Rc<Shared<K, V>>,
}

/// One key that was asked for.
pub struct Ask<K, V> {
    pub(super) key: K,
    /// What it has already: then it only goes with the others.
    pub(super) known: Option<Box<Result<V, LoadError>>>,
    /// Where to keep its value.
    pub(super) place: Option<Place<K, V>>,
}

/// What a flush of a loader returns.
pub enum Flushing {
    Done,
    Later(Pin<Box<dyn Future<Output = ()>>>),
}

impl Flush for Flushing {
    fn into_step(self) -> FlushStep {
        match self {
            Self::Done => FlushStep::Done(Ok(())),
            Self::Later(rest) => FlushStep::Later(Box::pin(async move {
                rest.await;
                Ok(())
            })),
        }
    }
}

impl<K: Key, V: Clone + 'static> Keys<K, V> {
    pub(super) fn new(shared: Rc<Shared<K, V>>) -> Self {
        Self { shared }
    }
}

impl<K: Key, V: Clone + 'static> Batch for Keys<K, V> {
    type Key = Ask<K, V>;
    type Value = V;
    type Flush = Flushing;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Flushing {
        // First of all: what is asked for from now on is of another round.
        Rc::new(Flight::begin(&self.shared, items)).send()
    }

    fn name(&self) -> String {
        self.shared.settings.borrow().name.to_string()
    }

    fn priority(&self) -> i64 {
        self.shared.settings.borrow().priority
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for Keys<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.name())
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Ask<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key)
    }
}

impl fmt::Debug for Flushing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Done) { "Done" } else { "Later" })
    }
}
