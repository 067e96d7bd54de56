//! Errors that say why.

use std::error::Error;
use std::fmt;

/// An error whose text has those of its causes: that of tokio-postgres alone is "db error".
#[derive(Debug)]
pub(super) struct Explained<E>(pub(super) E);

impl<E: Error> fmt::Display for Explained<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl<E: Error + 'static> Error for Explained<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
