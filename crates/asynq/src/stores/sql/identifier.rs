//! Names of tables and columns, as SQL wants them.

use std::fmt::{self, Write};

/// The name of a table, a column or a schema, whatever it is made of. Its `Display` is quoted.
pub(super) struct Identifier(String);

impl Identifier {
    /// # Panics
    ///
    /// If the name has a NUL, where the databases would see its end.
    #[track_caller]
    pub(super) fn new(name: &str) -> Self {
        assert!(
            !name.contains('\0'),
            "{name:?} cannot be the name of a table or column: take the NUL (\\0) out of it"
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
