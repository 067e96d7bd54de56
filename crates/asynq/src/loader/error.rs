//! Why a load has no value.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What became of a key instead of a value: the [`source`](Error::source) of the load's
/// [`BatchError`](crate::BatchError), which names the loader.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The batch function returned nothing for this key, and there is no default.
    Missing {
        /// The key, as it is printed by `Debug`.
        key: String,
    },
    /// The batch function returned an error, for this key or for all of a batch; or a `Vec` of a
    /// wrong length ([`LengthError`]); or nothing in time ([`TimeoutError`]).
    Failed {
        /// The key, as it is printed by `Debug`.
        key: String,
        /// The error, which is the [`source`](Error::source) of this one.
        error: Arc<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { key } => write!(f, "nothing came back for key {key}"),
            Self::Failed { key, error } => write!(f, "key {key}: {error}"),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { error, .. } => Some(&**error),
            Self::Missing { .. } => None,
        }
    }
}

/// A batch function did not return in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutError {
    /// How long it had.
    pub after: Duration,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {:?}", self.after)
    }
}

impl Error for TimeoutError {}

/// A batch function returned a `Vec` of another length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// How many keys it was given.
    pub keys: usize,
    /// How many values it returned.
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
