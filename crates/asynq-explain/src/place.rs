//! Places in the code: sites, sources, and what the statements around them need.

use serde::{Deserialize, Serialize};

use crate::event::Id;

/// A place in the code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Site {
    /// Id of the site.
    pub id: Id,
    /// Name of the function.
    pub function: String,
    /// Path of the file.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Site of the call around it, if that is a part of the same task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Id>,
}

/// A batch class, a source or a loader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Id of the source.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Path of the file in which it is defined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of its definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// The values that a statement of the code needs, by which findings know what could be awaited together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// Path of the file.
    pub file: String,
    /// First line of the statement.
    pub line: u32,
    /// Its last line; of a compound statement, the last line of its head.
    pub end: u32,
    /// Line of the function or block of async code that it is in. Only statements of the same one are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<u32>,
    /// First lines of the statements with an await whose value this one needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<u32>,
    /// Line of the innermost loop around it.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub in_loop: Option<u32>,
    /// True if it needs in each turn of that loop a value which an earlier turn has awaited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
    /// True if its function is not async: what that asks for is awaited by its caller.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
}
