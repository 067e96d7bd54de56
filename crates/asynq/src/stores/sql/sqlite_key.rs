//! Keys as values of SQLite.

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Error, ToSql};

use super::key_columns::{Columns, OneColumn};

/// Key of rows of SQLite: a [`ToSql`] for one column, and a tuple of them for several.
pub trait SqliteKey<C> {
    /// Adds the values of the key to the arrays of the columns, or none.
    #[doc(hidden)]
    fn add_to(&self, arrays: &mut [Vec<Value>]) -> rusqlite::Result<()>;
}

impl<K: ToSql> SqliteKey<OneColumn> for K {
    fn add_to(&self, arrays: &mut [Vec<Value>]) -> rusqlite::Result<()> {
        add([value(self)?], arrays);
        Ok(())
    }
}

macro_rules! tuples {
    ($($n:literal: $($K:ident $index:tt),*;)*) => {$(
        impl<$($K: ToSql),*> SqliteKey<Columns<$n>> for ($($K,)*) {
            fn add_to(&self, arrays: &mut [Vec<Value>]) -> rusqlite::Result<()> {
                add([$(value(&self.$index)?),*], arrays);
                Ok(())
            }
        }
    )*};
}

tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
}

fn add<const N: usize>(values: [Value; N], arrays: &mut [Vec<Value>]) {
    for (array, value) in arrays.iter_mut().zip(values) {
        array.push(value);
    }
}

/// Converts a part of a key to a value of SQLite.
fn value(key: &impl ToSql) -> rusqlite::Result<Value> {
    match key.to_sql()? {
        ToSqlOutput::Owned(value) => Ok(value),
        ToSqlOutput::Borrowed(value) => Ok(value.try_into()?),
        _ => Err(Error::ToSqlConversionFailure("a key must be a number, a text or a blob".into())),
    }
}
