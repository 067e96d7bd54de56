//! The operations of a key-value store, and their replies.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use crate::batch::BoxError;

/// Operation on a key. Two operations are never equal, since a loader would send equal writes once.
#[derive(Clone)]
pub(super) struct Operation(Rc<(Vec<u8>, Action)>);

/// Action of an operation.
pub(super) enum Action {
    Get,
    Set {
        value: Vec<u8>,
        ttl: Option<Duration>,
    },
    Delete,
    #[cfg(feature = "redis")]
    Command(redis::Cmd),
    /// Command with any number of keys. The key of the operation is a name.
    #[cfg(feature = "redis")]
    Unkeyed(redis::Cmd),
    /// Nothing, since the store refuses the key or value for this reason.
    Refused(String),
}

/// Reply to an operation.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Reply to a get: the value, if there is one.
    Value(Option<Vec<u8>>),
    /// Reply to a set.
    Stored,
    /// Reply to a delete: whether there was a value.
    Deleted(bool),
    /// Reply to a command.
    #[cfg(feature = "redis")]
    Redis(redis::Value),
}

/// Replies to operations, in the same order.
pub(super) type Replies = Vec<Result<Reply, BoxError>>;

impl Operation {
    pub(super) fn new(key: Vec<u8>, action: Action) -> Self {
        Self(Rc::new((key, action)))
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.0.0
    }

    pub(super) fn action(&self) -> &Action {
        &self.0.1
    }

    /// Returns the reason why the store refuses the operation, if it does.
    pub(super) fn refusal(&self) -> Option<&str> {
        if let Action::Refused(reason) = self.action() { Some(reason) } else { None }
    }
}

impl Reply {
    pub(super) fn into_value(self) -> Result<Option<Vec<u8>>, BoxError> {
        match self {
            Self::Value(value) => Ok(value),
            reply => Err(reply.unexpected("get")),
        }
    }

    pub(super) fn into_stored(self) -> Result<(), BoxError> {
        match self {
            Self::Stored => Ok(()),
            reply => Err(reply.unexpected("set")),
        }
    }

    pub(super) fn into_deleted(self) -> Result<bool, BoxError> {
        match self {
            Self::Deleted(was_there) => Ok(was_there),
            reply => Err(reply.unexpected("delete")),
        }
    }

    /// Creates the error of a reply to another kind of operation.
    pub(super) fn unexpected(&self, operation: &str) -> BoxError {
        format!("unexpected reply to a {operation}: {self:?}").into()
    }
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Operation {}

impl Hash for Operation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).hash(state);
    }
}

/// Formats the key, as errors name the operation.
impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.key()) {
            Ok(text) => write!(f, "{text:?}"),
            Err(_) => write!(f, "b\"{}\"", self.key().escape_ascii()),
        }
    }
}
