//! The statement of a loader of rows.

use std::fmt;
use std::marker::PhantomData;

use super::identifier::Identifier;
use super::key_columns::{KeyColumns, OneColumn};

pub(super) mod sealed {
    /// Database of rows.
    pub trait Database {
        /// Value that a column must have.
        type Value;
    }
}

/// Rows of a table by the value of a column, which is the key. `one` and `many` create a loader.
///
/// The database decides which rows have a key: a key finds the rows that `column = key` finds, also if the
/// column ignores upper and lower case, for example. Several spellings of one key each find the row.
///
/// Names must have the same upper and lower case as in the database. The statement quotes them, so they
/// may contain any characters. Keys and values are bound parameters.
#[must_use = "call `one` or `many` to have a loader"]
pub struct RowsBy<S: sealed::Database, C = OneColumn> {
    pub(super) store: S,
    schema: Option<Identifier>,
    pub(super) table: Identifier,
    pub(super) keys: Vec<Identifier>,
    columns: Vec<Identifier>,
    filters: Vec<Identifier>,
    pub(super) values: Vec<S::Value>,
    nulls: Vec<Identifier>,
    order: Vec<Identifier>,
    kind: PhantomData<C>,
}

impl<S: sealed::Database, C> RowsBy<S, C> {
    #[track_caller]
    pub(super) fn new(store: S, table: &str, keys: impl KeyColumns<Kind = C>) -> Self {
        let mut rows = Self {
            store,
            schema: None,
            table: Identifier::new(table),
            keys: Vec::new(),
            columns: Vec::new(),
            filters: Vec::new(),
            values: Vec::new(),
            nulls: Vec::new(),
            order: Vec::new(),
            kind: PhantomData,
        };
        for name in keys.into_names() {
            rows.keys.push(Identifier::new(&name));
        }
        assert!(!rows.keys.is_empty(), "rows of {table:?} by no column: name at least one");
        rows
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

    /// Leaves out rows whose `column` is not `NULL`: for a table where `deleted_at` marks deleted rows.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    #[track_caller]
    pub fn filter_null(mut self, column: &str) -> Self {
        self.nulls.push(Identifier::new(column));
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

    #[track_caller]
    pub(super) fn filter_value(mut self, column: &str, value: S::Value) -> Self {
        self.filters.push(Identifier::new(column));
        self.values.push(value);
        self
    }

    /// Returns the name of the loader.
    pub(super) fn name(&self) -> String {
        let joined = |names: &mut dyn Iterator<Item = &Identifier>, separator| {
            names.map(Identifier::as_str).collect::<Vec<_>>().join(separator)
        };
        let table = joined(&mut self.schema.iter().chain([&self.table]), ".");
        format!("{table} by {}", joined(&mut self.keys.iter(), ", "))
    }

    /// Returns the chosen columns and `index`, the index of the key.
    pub(super) fn selected(&self, index: &str) -> String {
        let columns = self.columns.iter().map(qualified);
        columns.chain([index.to_owned()]).collect::<Vec<_>>().join(", ")
    }

    /// Returns the table, which is called `t` in the statement.
    pub(super) fn source(&self) -> String {
        let names = self.schema.iter().chain([&self.table]).map(Identifier::to_string);
        format!("{} AS t", names.collect::<Vec<_>>().join("."))
    }

    /// Returns whether a query that is called `name` hides the table.
    #[cfg(feature = "tokio-postgres")]
    pub(super) fn is_hidden_by(&self, name: &str) -> bool {
        self.schema.is_none() && self.table.as_str() == name
    }

    /// Returns the condition that a row has a key and passes the filters. `key` and `filter` return the
    /// expression of a value, by its index.
    pub(super) fn condition(
        &self,
        key: impl Fn(usize) -> String,
        filter: impl Fn(usize) -> String,
    ) -> String {
        let equal = |columns: &[Identifier], value: &dyn Fn(usize) -> String| -> Vec<_> {
            let columns = columns.iter().enumerate();
            columns
                .map(|(index, column)| format!("{} = {}", qualified(column), value(index)))
                .collect()
        };
        let mut conditions = equal(&self.keys, &key);
        conditions.extend(equal(&self.filters, &filter));
        conditions.extend(self.nulls.iter().map(|column| format!("{} IS NULL", qualified(column))));
        conditions.join(" AND ")
    }

    /// Returns the end of the statement.
    pub(super) fn order(&self) -> String {
        match &*self.order.iter().map(qualified).collect::<Vec<_>>() {
            [] => String::new(),
            columns => format!(" ORDER BY {}", columns.join(", ")),
        }
    }
}

/// Returns a column with the name of the table: SQLite treats an unknown `"name"` as a text.
pub(super) fn qualified(column: &Identifier) -> String {
    format!("t.{column}")
}

impl<S: sealed::Database, C> fmt::Debug for RowsBy<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowsBy({})", self.name())
    }
}
