//! A store of the columns.

use crate::any_loader::AnyLoader;
use crate::column::Column;
use crate::value::Value;

/// A place where the values of the columns are kept.
pub(crate) trait Store {
    /// A loader of a column's values by their keys.
    fn loader<V: Value>(&self, column: Column) -> AnyLoader<V>;
}
