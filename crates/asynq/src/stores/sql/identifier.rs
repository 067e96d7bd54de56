//! Quoted names of tables and columns.

use std::fmt::{self, Write};

/// Name of a table, a column or a schema, with any characters. Its `Display` form is quoted.
pub(super) struct Identifier(String);

impl Identifier {
    /// Creates an identifier.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL, where a database would end it.
    #[track_caller]
    pub(super) fn new(name: &str) -> Self {
        assert!(
            !name.contains('\0'),
            "{name:?} cannot be the name of a table or column, since it contains a NUL (\\0)"
        );
        Self(name.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        f.write_str(&self.0.replace('"', "\"\""))?;
        f.write_char('"')
    }
}
