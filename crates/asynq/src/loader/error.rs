//! The errors of loads.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Error of a key: the [`source`](Error::source) of the load's [`BatchError`](crate::BatchError), which
/// names the loader.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The batch function returned no value for the key, and the loader has no default.
    Missing {
        /// The key, in its `Debug` form.
        key: String,
    },
    /// The batch function loaded a key that it was called for: it would wait for itself.
    SelfWait {
        /// The key, in its `Debug` form.
        key: String,
    },
    /// The batch function of another batch loaded the key, and the batch with this key waits for that
    /// one: they would wait for each other.
    Circle {
        /// The key, in its `Debug` form.
        key: String,
    },
    /// The batch function returned an error for the key or the batch, or a `Vec` of a wrong length
    /// ([`LengthError`]), or did not return in time ([`TimeoutError`]), or waited for a task that waits for it
    /// (a [`TaskError`](crate::TaskError) of the kind `Deadlock`).
    Failed {
        /// The key, in its `Debug` form.
        key: String,
        /// The error, which is the [`source`](Error::source) of this one.
        error: Arc<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { key } => write!(f, "nothing came back for key {key}"),
            Self::SelfWait { key } => write!(
                f,
                "key {key}: the batch function loads a key that it was called for, and would wait for \
                 itself"
            ),
            Self::Circle { key } => write!(
                f,
                "key {key}: the batch with this key waits for the batch function that loads it, so they \
                 would wait for each other"
            ),
            Self::Failed { key, error } => write!(f, "key {key}: {error}"),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { error, .. } => Some(&**error),
            Self::Missing { .. } | Self::SelfWait { .. } | Self::Circle { .. } => None,
        }
    }
}

/// Error of a batch function that did not return in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutError {
    /// The timeout.
    pub after: Duration,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {:?}", self.after)
    }
}

impl Error for TimeoutError {}

/// Error of a batch function that returned a `Vec` of a wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// Number of keys.
    pub keys: usize,
    /// Number of values.
    pub values: usize,
}

impl fmt::Display for LengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, values } = self;
        write!(
            f,
            "the batch function was given {keys} keys and returned {values} values; return one for \
             each key, in their order, or a map"
        )
    }
}

impl Error for LengthError {}
