//! The scenarios of `scenarios/rows.json`, which the Python package is tested by, too.

use std::fmt::Debug;
use std::hash::Hash;

use asynq::stores::Sqlite;
use asynq::{BatchError, FutureBase, Loader, all};
use rusqlite::types::{ToSqlOutput, Value};
use serde_json::Value as Json;

const FILE: &str = include_str!("../../scenarios/rows.json");

/// Value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Cell {
    Null,
    Integer(i64),
    /// The bits of a float, which is no `Eq`.
    Real(u64),
    Text(String),
    Blob(Vec<u8>),
}

impl Cell {
    fn new(typed: &Json) -> Self {
        let Some((kind, content)) = typed.as_object().and_then(|typed| typed.iter().next()) else {
            return Self::Null;
        };
        match &**kind {
            "integer" => Self::Integer(content.as_i64().unwrap()),
            "real" => Self::Real(content.as_f64().unwrap().to_bits()),
            "text" => Self::Text(content.as_str().unwrap().to_owned()),
            "blob" => Self::Blob(vec![u8::from_str_radix(content.as_str().unwrap(), 16).unwrap()]),
            other => panic!("{other} is no kind of values"),
        }
    }

    fn pair(typed: &Json) -> (Self, Self) {
        (Self::new(&typed[0]), Self::new(&typed[1]))
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match self {
            Self::Null => Value::Null,
            Self::Integer(integer) => Value::Integer(*integer),
            Self::Real(bits) => Value::Real(f64::from_bits(*bits)),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Blob(blob) => Value::Blob(blob.clone()),
        }))
    }
}

/// Loaders of all rows and of one row.
type Loaders<K> = (Loader<K, Vec<String>>, Loader<K, String>);

/// Checks what the loaders find for the keys of a scenario.
fn check<K: Clone + Debug + Eq + Hash + Send + Sync + 'static>(
    scenario: &Json,
    key: fn(&Json) -> K,
    (many, one): &Loaders<K>,
) {
    let keys: Vec<K> = scenario["keys"].as_array().unwrap().iter().map(key).collect();
    let many_rows = all(keys.iter().map(|key| many.load(key.clone()))).value();
    let one_row = all(keys.iter().map(|key| one.load(key.clone()))).value();
    assert_eq!((many.stats().batches, one.stats().batches), (1, 1), "{scenario}");
    let expected = scenario["rows"].as_array().unwrap().iter();
    for (((key, rows), row), expected) in keys.iter().zip(many_rows).zip(one_row).zip(expected) {
        let expected: Option<Vec<String>> = serde_json::from_value(expected.clone()).unwrap();
        let about = format!("{key:?} of {scenario}: {rows:?}, {row:?}");
        match expected {
            None => assert!(rows.is_err() && is_failed(row), "{about}"),
            Some(expected) => {
                match &*expected {
                    [] => assert!(row.unwrap_err().to_string().contains("nothing came"), "{about}"),
                    [expected] => assert_eq!(row.unwrap(), *expected, "{about}"),
                    _ => assert!(is_failed(row), "{about}"),
                }
                assert_eq!(rows.unwrap(), expected, "{about}");
            }
        }
    }
}

fn is_failed<T>(row: Result<T, BatchError>) -> bool {
    row.is_err_and(|error| !error.to_string().contains("nothing came"))
}

/// Returns the scenarios of a database that Rust can express.
fn scenarios(database: &str) -> Vec<Json> {
    let has = |names: &Json, name: &str| {
        names.as_array().is_none_or(|names| names.contains(&name.into()))
    };
    let mut scenarios: Vec<Json> = serde_json::from_str(FILE).unwrap();
    scenarios.retain(|one| has(&one["databases"], database) && has(&one["faces"], "rust"));
    scenarios
}

/// Describes the rows of a scenario.
macro_rules! described {
    ($store:expr, $columns:expr, $scenario:expr) => {{
        let mut rows = $store.rows_by("t", $columns).columns(["v"]);
        for (column, value) in $scenario["where"].as_object().into_iter().flatten() {
            rows = match Cell::new(value) {
                Cell::Null => rows.filter_null(column),
                value => rows.filter(column, value),
            };
        }
        $scenario["order_by"].as_str().into_iter().fold(rows, |rows, column| rows.order_by(column))
    }};
}

/// Checks a scenario on a store, with the function that gets the value of a row.
macro_rules! run {
    ($store:expr, $scenario:expr, $get:ident) => {{
        let (store, scenario) = (&$store, &$scenario);
        let columns = scenario["column"].as_array();
        if let Some([one, two]) = columns.map(Vec::as_slice) {
            let columns = [one.as_str().unwrap(), two.as_str().unwrap()];
            let many = described!(store, columns, scenario).many(|row| row.$get(0));
            let one = described!(store, columns, scenario).one(|row| row.$get(0));
            check(scenario, Cell::pair, &(many, one));
        } else {
            let many = described!(store, "k", scenario).many(|row| row.$get(0));
            let one = described!(store, "k", scenario).one(|row| row.$get(0));
            check(scenario, Cell::new, &(many, one));
        }
    }};
}

#[test]
fn scenarios_of_sqlite() {
    for scenario in scenarios("sqlite") {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(scenario["sql"].as_str().unwrap()).unwrap();
        run!(Sqlite::from(connection), scenario, get);
    }
}

#[cfg(all(feature = "tokio-postgres", target_os = "linux"))]
mod postgres {
    use std::error::Error;

    use asynq::stores::Postgres;
    use bytes::BytesMut;
    use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

    use super::*;
    use crate::schema::Schema;

    impl ToSql for Cell {
        fn to_sql(
            &self,
            ty: &Type,
            out: &mut BytesMut,
        ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
            match self {
                Self::Null => Ok(IsNull::Yes),
                Self::Integer(integer) if *ty == Type::INT4 => {
                    i32::try_from(*integer)?.to_sql(ty, out)
                }
                Self::Text(text) if <&str as ToSql>::accepts(ty) => text.to_sql(ty, out),
                other => Err(format!("{other:?} is no {ty}").into()),
            }
        }

        fn accepts(_: &Type) -> bool {
            true
        }

        to_sql_checked!();
    }

    #[test]
    fn scenarios_of_postgres() {
        for scenario in scenarios("postgres") {
            let Some(schema) = Schema::new(scenario["sql"].as_str().unwrap()) else { return };
            run!(Postgres::open(&schema.config()).unwrap(), scenario, try_get);
        }
    }
}
