//! memcached.

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
use crate::stores::runtime;

/// A server of memcached, or several. Its methods are those of [`KeyValue`](super::KeyValue).
///
/// A batch is one request to each of the servers that have the keys, in the order of the program, or a
/// few requests if the keys take much room. What fails at one server does not at another.
///
/// A key has 1 to 250 bytes, without spaces and control characters. An operation with another key
/// fails. A `ttl` is rounded up to whole seconds.
///
/// It speaks memcached's meta protocol, so the servers are of version 1.6 or later.
///
/// A handle: clones are the same store. It belongs to one thread. Its connections live on a thread of the
/// library: so what is asked for may be awaited by any executor, or with none. A batch that fails takes
/// its connections with it, and so does one that is given up, because of the
/// [`timeout`](super::KeyValue::timeout) or, when nobody waits for it any more, when the next one begins.
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
    /// The servers at these addresses, `["10.0.0.1:11211", "10.0.0.2:11211"]`. Which of them has a key
    /// is found by rendezvous hashing: one server more or less moves only its own keys.
    ///
    /// Nothing connects, and no name is looked up, before the first batch.
    pub fn open<A: Into<String>>(addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        Self::of(Servers { addresses, client: OnceCell::new() })
    }

    fn of(servers: Servers) -> Self {
        let servers = Arc::new(servers);
        let run = move |operations: Vec<Operation>| {
            let results = runtime::run(Arc::clone(&servers).send(requests(&operations)));
            async move {
                let results = operations.iter().zip(results.await?);
                Ok(results.map(|(operation, result)| reply(operation, result?)).collect())
            }
        };
        Self { operations: Operations::new("memcached", refusal, run) }
    }
}

/// A client of one's own, with its timeouts. The connections that it makes for the store live on the
/// thread of the library.
impl From<AsyncMetaClient> for Memcached {
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
        // The time for all of it is that of the batch.
        let client = AsyncMetaClient::builder().connect_timeout(None).io_timeout(None);
        client.connect_multiple_async(&self.addresses).await
    }
}

/// Why memcached takes no such key.
fn refusal(key: &[u8]) -> Option<String> {
    (key.is_empty() || key.len() > MAX_KEY || !is_plain(key)).then(|| {
        format!(
            "memcached takes keys of 1 to {MAX_KEY} bytes without spaces and control characters; \
             `cached` makes such keys of anything"
        )
    })
}

/// How much may be on its way to a server that does not read: what fits into the buffers of a connection,
/// as Linux makes them.
const AT_ONCE: usize = 64 * 1024;

/// What an operation takes besides its key and value.
const OVERHEAD: usize = 32;

/// A larger value goes alone. The server may have no room for it: by default it has for one of a
/// megabyte. What it says then has no number, so the client could not tell what it replies to next.
const LARGE: usize = 512 * 1024;

/// The operations as requests, in their order.
///
/// The client writes a whole request before it reads, and a server that cannot write does not read. So
/// what follows the first get, whose reply may be of any size, has to be small; and so have the other
/// replies, which are shorter than what they reply to.
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
        requests.last_mut().expect("one at least").push(op(operation));
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
        Action::Refused(reason) => unreachable!("what was refused is not done: {reason}"),
    }
}

/// Whole seconds. The protocol knows of times until 2106; what is to live longer does not end.
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
        (_, result) => Err(format!("memcached replied with {result:?}").into()),
    }
}
