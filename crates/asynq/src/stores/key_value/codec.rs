//! Encodings of values in a key-value store.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::BoxError;

/// Encoding of values as bytes.
pub trait Codec<T> {
    /// Encodes a value. Returns `None` if it must not be cached.
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded.
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, BoxError>;

    /// Decodes bytes, which may be anything: other programs can write to the store.
    ///
    /// # Errors
    ///
    /// If the bytes are not an encoded value.
    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError>;
}

/// Encoding as JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(Some(serde_json::to_vec(value)?))
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Encoding of `Ok` values as JSON. Errors are not cached.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonOk;

impl<T: Serialize + DeserializeOwned, E> Codec<Result<T, E>> for JsonOk {
    fn encode(&self, value: &Result<T, E>) -> Result<Option<Vec<u8>>, BoxError> {
        value.as_ref().map_or(Ok(None), |value| Json.encode(value))
    }

    fn decode(&self, bytes: &[u8]) -> Result<Result<T, E>, BoxError> {
        Json.decode(bytes).map(Ok)
    }
}
