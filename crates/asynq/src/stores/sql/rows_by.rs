//! The statement of a loader of rows.

use std::fmt;

use super::identifier::Identifier;

/// Rows of a table by the value of a column, which is the key. `one` and `many` create a loader.
///
/// Names must have the same upper and lower case as in the database. The statement quotes them, so they
/// may contain any characters. Keys are bound parameters.
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

    /// Sets the schema of the table, or the attached database of SQLite. By default, the first one in
    /// which the connection finds the table.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    #[track_caller]
    pub fn schema(mut self, name: &str) -> Self {
        self.schema = Some(Identifier::new(name));
        self
    }

    /// Sets the columns of the row that `map` gets, in this order.
    ///
    /// # Panics
    ///
    /// If a name contains a NUL.
    #[track_caller]
    pub fn columns<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns.clear();
        for name in names {
            self.columns.push(Identifier::new(name));
        }
        self
    }

    /// Sorts the rows of a key by a column, in ascending order. Further calls sort rows that are equal
    /// so far.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    #[track_caller]
    pub fn order_by(mut self, column: &str) -> Self {
        self.order.push(Identifier::new(column));
        self
    }

    /// Returns the name of the loader.
    pub(super) fn name(&self) -> String {
        let names = self.schema.iter().chain([&self.table]).map(Identifier::as_str);
        format!("{} by {}", names.collect::<Vec<_>>().join("."), self.key.as_str())
    }

    /// Returns the statement that selects the chosen columns, followed by the key. `keys` is the
    /// condition for the key column.
    ///
    /// Columns are qualified, since SQLite treats an unknown `"name"` as a text.
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
