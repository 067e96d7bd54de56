//! The Chinook database, a file that is only read.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use asynq::BoxError;
use rusqlite::{Connection, Error, OpenFlags, Params, Row, vtab};

pub(crate) struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, BoxError> {
        // The system knows better than SQLite why a file cannot be opened.
        let file = fs::metadata(path).map_err(|error| unusable(path, error))?;
        if !file.is_file() {
            return Err(unusable(path, "not a file"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // With `rarray(?)`, a variable for any number of keys.
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| vtab::array::load_module(&connection).map(|()| connection))
            .map_err(|error| unusable(path, reason(error)))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The rows that a query finds, in a collection.
    pub(crate) fn rows<C, T>(&self, sql: &str, params: impl Params) -> Result<C, BoxError>
    where
        C: FromIterator<T>,
        T: for<'r> TryFrom<&'r Row<'r>, Error = Error>,
    {
        let query = || -> rusqlite::Result<C> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_and_then(params, |row| T::try_from(row))?.collect()
        };
        query().map_err(|error| unusable(&self.path, reason(error)))
    }
}

fn unusable(path: &Path, reason: impl Display) -> BoxError {
    format!("cannot use \"{}\" as the Chinook database: {reason}", path.display()).into()
}

/// The reason without the text of the query.
fn reason(error: Error) -> String {
    match error {
        Error::SqlInputError { msg, .. } => msg,
        error => error.to_string(),
    }
}
