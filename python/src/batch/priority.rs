//! Priorities of batches: values of `get_priority()` in a form that compares without Python.

use std::cmp::Ordering;

use crate::imports;
use asynq_engine::Priority;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyList, PyString, PyTuple};

/// A number, a text, or a sequence of such: everything that Python's own `<` compares among its
/// kind. Comparing must not run a user's code, since the engine compares in the middle of its work.
#[derive(Clone, Debug)]
pub(crate) enum BatchPriority {
    /// The default, `(0, number of items)`, and what looks like it.
    Pair(i64, i64),
    Integer(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Sequence(Vec<Self>),
}

impl BatchPriority {
    /// Reads what a `get_priority()` returned.
    ///
    /// # Errors
    ///
    /// `TypeError` for anything but numbers, texts, and tuples or lists of them.
    pub(crate) fn extract(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok((base, items)) = value.extract() {
            return Ok(Self::Pair(base, items));
        }
        Self::extract_nested(value, 0)
    }

    fn extract_nested(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Self> {
        let nested = |value: PyResult<Bound<'_, PyAny>>| Self::extract_nested(&value?, depth + 1);
        if depth < 16 {
            if let Ok(tuple) = value.cast::<PyTuple>() {
                return tuple
                    .iter()
                    .map(|item| nested(Ok(item)))
                    .collect::<PyResult<_>>()
                    .map(Self::Sequence);
            }
            if let Ok(list) = value.cast::<PyList>() {
                return list
                    .iter()
                    .map(|item| nested(Ok(item)))
                    .collect::<PyResult<_>>()
                    .map(Self::Sequence);
            }
        }
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Self::Text(text.to_cow()?.into_owned()));
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.as_bytes().to_vec()));
        }
        if !value.is_instance_of::<PyFloat>()
            && let Ok(integer) = value.extract()
        {
            return Ok(Self::Integer(integer));
        }
        value.extract().map(Self::Float).map_err(|_| {
            PyTypeError::new_err(format!(
                "get_priority() has to return numbers, strings, or tuples of them, not {}",
                imports::type_name(value)
            ))
        })
    }

    /// Kinds that Python would not compare stand in this order.
    fn kind(&self) -> u8 {
        match self {
            Self::Integer(_) | Self::Float(_) => 0,
            Self::Text(_) => 1,
            Self::Bytes(_) => 2,
            Self::Pair(..) | Self::Sequence(_) => 3,
        }
    }
}

impl Ord for BatchPriority {
    fn cmp(&self, other: &Self) -> Ordering {
        // Only large integers lose digits here, and only against floats, which have no more.
        #[allow(clippy::cast_precision_loss)]
        match (self, other) {
            (Self::Pair(a, b), Self::Pair(c, d)) => (a, b).cmp(&(c, d)),
            (Self::Pair(a, b), Self::Sequence(list)) => as_integers(*a, *b).as_slice().cmp(list),
            (Self::Sequence(list), Self::Pair(a, b)) => list.as_slice().cmp(&as_integers(*a, *b)),
            (Self::Sequence(a), Self::Sequence(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Integer(a), Self::Float(b)) => (*a as f64).total_cmp(b),
            (Self::Float(a), Self::Integer(b)) => a.total_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

fn as_integers(a: i64, b: i64) -> [BatchPriority; 2] {
    [BatchPriority::Integer(a.into()), BatchPriority::Integer(b.into())]
}

impl PartialOrd for BatchPriority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BatchPriority {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for BatchPriority {}

impl Priority for BatchPriority {
    fn by_size(items: usize) -> Self {
        Self::Pair(0, i64::try_from(items).unwrap_or(i64::MAX))
    }
}
