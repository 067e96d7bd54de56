//! Errors that print their causes.

use std::error::Error;
use std::fmt;

/// Error whose text includes the texts of its causes. The text of tokio-postgres alone is "db error".
#[derive(Debug)]
pub(super) struct ErrorChain<E>(pub(super) E);

impl<E: Error> fmt::Display for ErrorChain<E> {
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

impl<E: Error + 'static> Error for ErrorChain<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
