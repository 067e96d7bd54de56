//! What is asked of a key-value store, and what comes back.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use crate::batch::BoxError;

/// Something to be done with a key. Two are never equal: a write is not a write that was.
#[derive(Clone)]
pub(super) struct Operation(Rc<(Vec<u8>, Action)>);

/// What is done.
pub(super) enum Action {
    Get,
    Set {
        value: Vec<u8>,
        ttl: Option<Duration>,
    },
    Delete,
    #[cfg(feature = "redis")]
    Command(redis::Cmd),
    /// The same, with any keys or none; that of the operation is a name.
    #[cfg(feature = "redis")]
    Unkeyed(redis::Cmd),
    /// Nothing, for this reason.
    Refused(String),
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Of a get, the value, if there is one.
    Value(Option<Vec<u8>>),
    /// Of a set.
    Stored,
    /// Of a delete, whether there was something.
    Deleted(bool),
    /// Of a command.
    #[cfg(feature = "redis")]
    Redis(redis::Value),
}

/// What comes back for each operation, in their order.
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

    pub(super) fn refusal(&self) -> Option<&str> {
        if let Action::Refused(reason) = self.action() { Some(reason) } else { None }
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

/// The key: so it is called in errors.
impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.key()) {
            Ok(text) => write!(f, "{text:?}"),
            Err(_) => write!(f, "b\"{}\"", self.key().escape_ascii()),
        }
    }
}
