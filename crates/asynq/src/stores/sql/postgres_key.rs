//! Keys as arrays of PostgreSQL.

use bytes::BytesMut;
use tokio_postgres::types::{ToSql, Type};

use super::key_columns::{Columns, OneColumn};
use crate::batch::BoxError;

/// Array of the values of a column.
pub(super) type Array<'a> = Box<dyn ToSql + Send + Sync + 'a>;

/// Key of rows of PostgreSQL: a [`ToSql`] for one column, and a tuple of them for several.
pub trait PostgresKey<C>: Sized {
    /// Returns an array for each column.
    #[doc(hidden)]
    fn arrays<'a>(keys: &[&'a Self]) -> Vec<Box<dyn ToSql + Send + Sync + 'a>>;
    /// Checks that the key can be bound to columns of these types.
    #[doc(hidden)]
    fn check(&self, types: &[Type]) -> Result<(), BoxError>;
}

impl<K: ToSql + Send + Sync> PostgresKey<OneColumn> for K {
    fn arrays<'a>(keys: &[&'a Self]) -> Vec<Array<'a>> {
        vec![Box::new(keys.to_vec())]
    }

    fn check(&self, types: &[Type]) -> Result<(), BoxError> {
        check(&[self], types)
    }
}

macro_rules! tuples {
    ($($n:literal: $($K:ident $index:tt),*;)*) => {$(
        impl<$($K: ToSql + Send + Sync),*> PostgresKey<Columns<$n>> for ($($K,)*) {
            fn arrays<'a>(keys: &[&'a Self]) -> Vec<Array<'a>> {
                vec![$(Box::new(keys.iter().map(|key| &key.$index).collect::<Vec<_>>())),*]
            }

            fn check(&self, types: &[Type]) -> Result<(), BoxError> {
                check(&[$(&self.$index),*], types)
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

fn check(values: &[&dyn ToSql], types: &[Type]) -> Result<(), BoxError> {
    for (value, kind) in values.iter().zip(types) {
        value.to_sql_checked(kind, &mut BytesMut::new())?;
    }
    Ok(())
}
