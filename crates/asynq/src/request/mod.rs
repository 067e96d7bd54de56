//! Requests: futures whose loads are sent together, on any executor.

pub(crate) mod current;
mod executor;
mod future;
#[cfg(feature = "async-graphql")]
mod graphql;
pub(crate) mod progress;
#[cfg(feature = "tower")]
mod tower;
mod waker;

pub(crate) use self::future::unrecorded_request;
pub use self::future::{Request, request};
#[cfg(feature = "async-graphql")]
pub use self::graphql::RequestExtension;
#[cfg(feature = "tower")]
pub use self::tower::{RequestLayer, RequestService};
