//! Keys, as far as a recording shows them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Maximum number of characters of the text of a key.
const MAX_TEXT: usize = 100;

/// Form in which a recording shows keys. In each form it shows which loads ask for the same key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// Only their number.
    #[default]
    Count,
    /// A hash of their text.
    Hash,
    /// Their text: `repr` in Python, `Debug` in Rust.
    Repr,
}

impl Keys {
    /// Returns the text that a recording shows of a key. `text` is called unless only the number counts.
    pub fn text(self, text: impl FnOnce() -> String) -> Option<String> {
        match self {
            Self::Count => None,
            Self::Hash => Some(format!("{:016x}", fnv(text().as_bytes()))),
            Self::Repr => Some(cut(text())),
        }
    }
}

/// Hash of FNV-1a, the same in every process.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl FromStr for Keys {
    type Err = UnknownKeys;

    fn from_str(text: &str) -> Result<Self, UnknownKeys> {
        match text {
            "count" => Ok(Self::Count),
            "hash" => Ok(Self::Hash),
            "repr" => Ok(Self::Repr),
            _ => Err(UnknownKeys(text.to_owned())),
        }
    }
}

/// Error for a form of keys that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKeys(String);

impl std::fmt::Display for UnknownKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "keys must be \"count\", \"hash\" or \"repr\", got {:?}", self.0)
    }
}

impl std::error::Error for UnknownKeys {}
