//! Which rows a loader gives for a key.

use std::fmt;

use super::identifier::Identifier;

/// The rows of a table in which one column has the key's value. `one` and `many` make a loader of
/// them.
///
/// Names are those of the database, in upper and lower case as they were made there; they are quoted
/// in the statement, so they may be anything. Keys are bound to it.
#[must_use = "call `one` or `many` to have a loader"]
pub struct RowsBy<S> {
    pub(super) store: S,
    schema: Option<Identifier>,
    table: Identifier,
    key: Identifier,
    columns: Vec<Identifier>,
    order: Vec<Identifier>,
}

impl<S> RowsBy<S> {
    #[track_caller]
    pub(super) fn new(store: S, table: &str, key: &str) -> Self {
        Self {
            store,
            schema: None,
            table: Identifier::new(table),
            key: Identifier::new(key),
            columns: Vec::new(),
            order: Vec::new(),
        }
    }

    /// The schema that has the table, or in SQLite the attached database; by default, the first one
    /// that the connection finds.
    ///
    /// # Panics
    ///
    /// If there is a NUL in the name.
    #[track_caller]
    pub fn schema(mut self, name: &str) -> Self {
        self.schema = Some(Identifier::new(name));
        self
    }

    /// The columns that a row has for its mapping, in this order.
    ///
    /// # Panics
    ///
    /// If there is a NUL in a name.
    #[track_caller]
    pub fn columns<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns.clear();
        for name in names {
            self.columns.push(Identifier::new(name));
        }
        self
    }

    /// Sorts the rows of a key by a column, the smallest first. By a further one, where that is equal.
    ///
    /// # Panics
    ///
    /// If there is a NUL in the name.
    #[track_caller]
    pub fn order_by(mut self, column: &str) -> Self {
        self.order.push(Identifier::new(column));
        self
    }

    /// What the loader is called.
    pub(super) fn name(&self) -> String {
        let names = self.schema.iter().chain([&self.table]).map(Identifier::as_str);
        format!("{} by {}", names.collect::<Vec<_>>().join("."), self.key.as_str())
    }

    /// The statement that gives the chosen columns, and after them the key; `keys` says which keys.
    ///
    /// Columns are qualified because SQLite takes `"name"` alone for a text where there is no such
    /// column.
    pub(super) fn sql(&self, keys: &str) -> String {
        let list = |columns: &mut dyn Iterator<Item = &Identifier>| {
            columns.map(|column| format!("t.{column}")).collect::<Vec<_>>().join(", ")
        };
        let columns = list(&mut self.columns.iter().chain([&self.key]));
        let table: Vec<_> =
            self.schema.iter().chain([&self.table]).map(Identifier::to_string).collect();
        let order = match list(&mut self.order.iter()) {
            none if none.is_empty() => none,
            columns => format!(" ORDER BY {columns}"),
        };
        format!("SELECT {columns} FROM {} AS t WHERE t.{} {keys}{order}", table.join("."), self.key)
    }
}

impl<S> fmt::Debug for RowsBy<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowsBy({})", self.name())
    }
}
