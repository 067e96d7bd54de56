//! The store of memcached.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memcache::exp::{AsyncMetaClient, Delete, Error, Get, Op, OpResult, Set, Ttl};
use tokio::sync::OnceCell;

use super::key_format::{MAX_KEY, is_plain};
use super::operation::{Action, Operation, Reply};
use super::operations::Operations;
use super::store::sealed;
use crate::batch::BoxError;
use crate::stores::runtime::run_io;

/// One or several servers of memcached. Its methods are those of [`KeyValue`](super::KeyValue).
///
/// A batch is one request to each server that has any of its keys, or a few requests if it is large.
/// A failure of one server does not affect the operations of the others.
///
/// A key must have 1 to 250 bytes, without spaces and control characters; operations with other keys
/// fail. A `ttl` is rounded up to whole seconds.
///
/// The client uses the meta protocol, which needs memcached 1.6 or later.
///
/// Clones are handles to the same store. A store belongs to one thread. Its connections belong to a
/// thread of this crate, so any executor can await its futures, and none is needed. A batch that fails
/// or is cancelled closes its connections. A batch is cancelled by the
/// [`timeout`](super::KeyValue::timeout) or, if nobody awaits it any more, when the next batch begins.
///
/// ```no_run
/// use std::time::Duration;
/// use asynq::FutureBase;
/// use asynq::stores::{KeyValue, Memcached};
///
/// let memcached = Memcached::open(["localhost:11211"]);
/// memcached.set_for("greeting", "Hello", Duration::from_secs(60)).value()?;
/// assert_eq!(memcached.get("greeting").value()?.as_deref(), Some(b"Hello".as_slice()));
/// # Ok::<(), asynq::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Memcached {
    operations: Operations,
}

impl Memcached {
    /// Creates a store of the servers at these addresses, `["10.0.0.1:11211", "10.0.0.2:11211"]`. Keys
    /// are assigned to servers by rendezvous hashing: adding or removing a server moves only the keys of
    /// that server.
    ///
    /// The first batch connects, and looks up the names.
    #[track_caller]
    pub fn open<A: Into<String>>(addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        Self::of(Servers { addresses, client: OnceCell::new() })
    }

    #[track_caller]
    fn of(servers: Servers) -> Self {
        let servers = Arc::new(servers);
        let run = move |operations: Vec<Operation>| {
            let results = run_io(Arc::clone(&servers).send(requests(&operations)));
            async move {
                let results = operations.iter().zip(results.await?);
                Ok(results.map(|(operation, result)| reply(operation, result?)).collect())
            }
        };
        Self { operations: Operations::new("memcached", refusal, run) }
    }
}

/// Uses a configured client, with its timeouts. Its connections belong to a thread of this crate.
impl From<AsyncMetaClient> for Memcached {
    #[track_caller]
    fn from(client: AsyncMetaClient) -> Self {
        Self::of(Servers { addresses: Vec::new(), client: OnceCell::new_with(Some(client)) })
    }
}

impl sealed::Store for Memcached {
    fn operations(&self) -> &Operations {
        &self.operations
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached").field("operations", &self.operations.loader).finish()
    }
}

struct Servers {
    addresses: Vec<String>,
    client: OnceCell<AsyncMetaClient>,
}

impl Servers {
    async fn send(
        self: Arc<Self>,
        requests: Vec<Vec<Op>>,
    ) -> Result<Vec<Result<OpResult, Error>>, Error> {
        let client = self.client.get_or_try_init(|| self.connect()).await?;
        let mut results = Vec::new();
        for request in requests {
            results.extend(client.run_batch(request).await?);
        }
        Ok(results)
    }

    async fn connect(&self) -> Result<AsyncMetaClient, Error> {
        // The timeout of the batch covers all of it.
        let client = AsyncMetaClient::builder().connect_timeout(None).io_timeout(None);
        client.connect_multiple_async(&self.addresses).await
    }
}

/// Returns the reason why memcached refuses a key, if it does.
fn refusal(key: &[u8]) -> Option<String> {
    (key.is_empty() || key.len() > MAX_KEY || !is_plain(key)).then(|| {
        format!(
            "memcached takes keys of 1 to {MAX_KEY} bytes without spaces and control characters; \
             `cached` makes such keys of anything"
        )
    })
}

/// Maximum number of bytes on the way to a server that does not read: it must fit into the buffers of
/// a connection, by the defaults of Linux.
const AT_ONCE: usize = 64 * 1024;

/// Size of an operation without its key and value.
const OVERHEAD: usize = 32;

/// Maximum size of a value that shares a request. A server may reject a larger value (by default, one
/// of more than a megabyte), and the client cannot assign the replies after a rejection.
const LARGE: usize = 512 * 1024;

/// Divides operations into requests, in the same order.
///
/// The client writes a whole request before it reads, and a server that cannot write does not read. So
/// the operations after the first get, whose reply may be of any size, must fit into the buffers. The
/// other replies are shorter than their operations.
fn requests(operations: &[Operation]) -> Vec<Vec<Op>> {
    let mut requests = Vec::new();
    let (mut size, mut has_get, mut is_full) = (0, false, true);
    for operation in operations {
        let value = match operation.action() {
            Action::Set { value, .. } => value.len(),
            _ => 0,
        };
        let own = OVERHEAD + operation.key().len();
        size += own + if has_get { value } else { 0 };
        if is_full || size > AT_ONCE || value > LARGE {
            requests.push(Vec::new());
            (size, has_get) = (own, false);
        }
        has_get |= matches!(operation.action(), Action::Get);
        is_full = value > LARGE;
        requests.last_mut().expect("the first operation begins a request").push(op(operation));
    }
    requests
}

fn op(operation: &Operation) -> Op {
    let key = operation.key();
    match operation.action() {
        Action::Get => Get::new(key).into(),
        Action::Set { value, ttl } => {
            Set::new(key, value).ttl(ttl.map_or(Ttl::NEVER, lifetime)).into()
        }
        Action::Delete => Delete::new(key).into(),
        #[cfg(feature = "redis")]
        Action::Command(_) | Action::Unkeyed(_) => {
            unreachable!("memcached has no commands of Redis")
        }
        Action::Refused(reason) => unreachable!("refused operations are not sent: {reason}"),
    }
}

/// Converts a duration to whole seconds. The protocol has times until 2106; later ones do not expire.
fn lifetime(ttl: Duration) -> Ttl {
    let end =
        SystemTime::now().checked_add(ttl).and_then(|end| end.duration_since(UNIX_EPOCH).ok());
    match end {
        Some(end) if end.as_secs() < u32::MAX.into() => ttl.into(),
        _ => Ttl::NEVER,
    }
}

fn reply(operation: &Operation, result: OpResult) -> Result<Reply, BoxError> {
    match (operation.action(), result) {
        (Action::Get, OpResult::Get(get)) => Ok(Reply::Value(get.value)),
        (Action::Set { .. }, OpResult::Mutation(set)) if set.applied() => Ok(Reply::Stored),
        (Action::Delete, OpResult::Mutation(delete)) => Ok(Reply::Deleted(delete.applied())),
        (_, result) => Err(format!("unexpected reply of memcached: {result:?}").into()),
    }
}
