//! Redis.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{
    Arg, AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo, Pipeline,
    RedisResult, ToRedisArgs, Value, cmd, from_redis_value,
};

use super::asked::Asked;
use super::key_value::sealed;
use super::operation::{Action, Operation, Replies, Reply};
use super::operations::Operations;
use super::runtime;
use crate::batch::BoxError;

/// A server of Redis. Its methods are here and in [`KeyValue`](super::KeyValue).
///
/// A batch is one pipeline, in the order of the program; gets that follow each other are one `MGET`. A
/// command that fails fails alone.
///
/// A handle: clones are the same store. It belongs to one thread, and has one connection, that lives on
/// a thread of the library: so what is asked for may be awaited by any executor, or with none. A batch
/// that fails takes the connection with it, and so does one that is given up, because of the
/// [`timeout`](super::KeyValue::timeout) or since nobody waits for it any more.
///
/// ```no_run
/// use asynq::stores::{KeyValue, Redis};
/// use asynq::{FutureBase, all, try_all};
///
/// let redis = Redis::open("redis://localhost")?;
/// redis.set("name:7", "Ann").value()?;
/// let visits = redis.command(redis::cmd("INCR").arg("visits:7"));
/// let (name, visits): (Option<Vec<u8>>, u64) = try_all((redis.get("name:7"), visits)).value()?;
/// assert_eq!((name.as_deref(), visits), (Some(b"Ann".as_slice()), 1));
/// # Ok::<(), asynq::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Redis {
    operations: Operations,
}

impl Redis {
    /// The server at a URL, `redis://[[user]:[password]@]host[:port][/database]`. Without TLS, unless
    /// the crate `redis` has a feature for that.
    ///
    /// # Errors
    ///
    /// If it is not a URL of Redis. Nothing connects before the first batch.
    pub fn open(url: impl IntoConnectionInfo) -> RedisResult<Self> {
        Ok(Self::from(Client::open(url)?))
    }

    /// The value of a field of a hash, if there is one.
    pub fn hget(&self, key: impl Into<Vec<u8>>, field: impl ToRedisArgs) -> Asked<Option<Vec<u8>>> {
        let key = key.into();
        let mut hget = cmd("HGET");
        hget.arg(&key).arg(field);
        self.operations.write(key, Action::Command(hget), read)
    }

    /// Sets a field of a hash. Returns whether it is new.
    pub fn hset(
        &self,
        key: impl Into<Vec<u8>>,
        field: impl ToRedisArgs,
        value: impl ToRedisArgs,
    ) -> Asked<bool> {
        let key = key.into();
        let mut hset = cmd("HSET");
        hset.arg(&key).arg(field).arg(value);
        self.operations.write(key, Action::Command(hset), read)
    }

    /// Any command, `redis::cmd("INCR").arg("visits")`, and its reply as any type that the crate `redis`
    /// makes of one, such as [`Value`].
    ///
    /// It goes with the others, in their order. So it must not be one that changes the connection
    /// (`SUBSCRIBE`, `MULTI`, `CLIENT REPLY`); one that waits (`BLPOP`) keeps the others waiting.
    pub fn command<T: FromRedisValue>(&self, command: &Cmd) -> Asked<T> {
        let name = name(command);
        self.operations.write_any(name, Action::Command(command.clone()), read)
    }
}

/// A client of one's own. Its connections are made on the thread of the library.
impl From<Client> for Redis {
    fn from(client: Client) -> Self {
        let server = Arc::new(Server { client, connection: Mutex::default() });
        let run = move |operations: Vec<Operation>| {
            let values = runtime::run(Arc::clone(&server).send(pipeline(&operations)));
            async move { Ok(replies(&operations, values.await?)) }
        };
        Self { operations: Operations::new("redis", |_| None, run) }
    }
}

impl sealed::Store for Redis {
    fn operations(&self) -> &Operations {
        &self.operations
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("operations", &self.operations.loader).finish()
    }
}

struct Server {
    client: Client,
    /// As long as nobody uses it.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Server {
    async fn send(self: Arc<Self>, pipeline: Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = self.connection().await?;
        let values = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await?;
        self.lock().replace(connection);
        Ok(values)
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let kept = self.lock().take();
        if let Some(mut kept) = kept {
            // Nobody waits for the reply: this fails at once if the server has closed the connection,
            // and else goes out with the pipeline.
            if kept.send_packed_command(cmd("PING").set_no_response(true)).await.is_ok() {
                return Ok(kept);
            }
        }
        // The time for all of it is that of the batch.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operations of each command: gets that follow each other are one.
fn commands(operations: &[Operation]) -> impl Iterator<Item = &[Operation]> {
    let is_get = |operation: &Operation| matches!(operation.action(), Action::Get);
    operations.chunk_by(move |one, next| is_get(one) && is_get(next))
}

fn pipeline(operations: &[Operation]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for operations in commands(operations) {
        let key = operations[0].key();
        match operations[0].action() {
            Action::Get => {
                pipeline.cmd("MGET");
                for get in operations {
                    pipeline.arg(get.key());
                }
            }
            Action::Set { value, ttl } => {
                pipeline.cmd("SET").arg(key).arg(value);
                if let Some(ttl) = ttl {
                    // With the time since 1970 it is still an `i64`.
                    let longest = i64::MAX.unsigned_abs() / 2;
                    let millis = ttl.as_nanos().div_ceil(1_000_000);
                    pipeline.arg("PX").arg(millis.min(longest.into()));
                }
            }
            Action::Delete => {
                pipeline.cmd("DEL").arg(key);
            }
            Action::Command(command) => {
                pipeline.add_command(command.clone());
            }
            Action::Refused(reason) => unreachable!("what was refused is not done: {reason}"),
        }
    }
    pipeline
}

fn replies(operations: &[Operation], values: Vec<Value>) -> Replies {
    let mut replies = Vec::with_capacity(operations.len());
    for (operations, value) in commands(operations).zip(values) {
        match reply(operations[0].action(), value) {
            Ok(those) => replies.extend(those.into_iter().map(Ok)),
            Err(error) => replies.extend(operations.iter().map(|_| Err(error.clone().into()))),
        }
    }
    replies
}

/// What comes back for the operations of one command.
fn reply(action: &Action, value: Value) -> RedisResult<Vec<Reply>> {
    let value = value.extract_error()?;
    Ok(match action {
        Action::Get => {
            let values: Vec<Option<Vec<u8>>> = from_redis_value(value)?;
            values.into_iter().map(Reply::Value).collect()
        }
        Action::Set { .. } => vec![Reply::Stored],
        Action::Delete => vec![Reply::Deleted(from_redis_value(value)?)],
        _ => vec![Reply::Redis(value)],
    })
}

fn read<T: FromRedisValue>(reply: Reply) -> Result<T, BoxError> {
    match reply {
        Reply::Redis(value) => Ok(from_redis_value(value)?),
        reply => Err(format!("{reply:?} is no reply to a command").into()),
    }
}

/// What errors call a command: by its first words.
fn name(command: &Cmd) -> Vec<u8> {
    let words = command.args_iter().take(2).map(|word| match word {
        Arg::Simple(word) => word,
        _ => b"?",
    });
    words.collect::<Vec<_>>().join(&b' ')
}
