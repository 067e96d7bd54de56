//! The store of Redis.

#[cfg(feature = "redis-cluster")]
mod cluster;
mod commands;
mod server;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "redis-cluster")]
use redis::cluster::ClusterClient;
use redis::{
    Arg, Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisResult, ToRedisArgs, cmd,
    from_redis_value,
};

#[cfg(feature = "redis-cluster")]
use self::cluster::{Cluster, Plan};
use self::commands::{pipeline, replies};
use self::server::Server;
use super::operation::{Action, Operation, Reply};
use super::operation_future::OperationFuture;
use super::operations::Operations;
use super::store::sealed;
use crate::batch::BoxError;
use crate::stores::runtime::run_io;

/// A server or a cluster of Redis. Its methods are here and in [`KeyValue`](super::KeyValue).
///
/// A batch is one pipeline, in the order of the requests. A command that fails does not affect the others.
///
/// Clones are handles to the same store. A store belongs to one thread. Its one connection belongs to a
/// thread of this crate, so any executor can await its futures, and none is needed. A batch that fails
/// or is cancelled closes the connection. A batch is cancelled by the
/// [`timeout`](super::KeyValue::timeout) or, if nobody awaits it any more, when the next batch begins.
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
    /// Creates a store of the server at a URL, `redis://[[user]:[password]@]host[:port][/database]`. TLS
    /// needs a feature of the crate `redis`. The first batch connects.
    ///
    /// # Errors
    ///
    /// If it is not a URL of Redis.
    #[track_caller]
    pub fn open(url: impl IntoConnectionInfo) -> RedisResult<Self> {
        Ok(Self::from(Client::open(url)?))
    }

    /// Creates a store of the cluster that these nodes belong to, by their URLs. The client discovers
    /// the other nodes. The first batch connects.
    ///
    /// A batch is one pipeline for each slot that has any of its keys. Pipelines are sent concurrently,
    /// to primaries, and the failure of one does not affect the others. A [`command`](Self::command) is
    /// sent after the operations before it, and before those after it; for a command with one key,
    /// [`command_of`](Self::command_of) is faster.
    ///
    /// The client sends a pipeline again, up to three times, if a slot has moved, and also if it loses the
    /// connection before the reply: a write may then be performed twice. Use `From<ClusterClient>` for
    /// another policy; without retries, the client does not follow slots that move.
    ///
    /// # Errors
    ///
    /// If a URL is not one of Redis, or names a database other than 0.
    #[cfg(feature = "redis-cluster")]
    #[track_caller]
    pub fn cluster<U: IntoConnectionInfo>(nodes: impl IntoIterator<Item = U>) -> RedisResult<Self> {
        // By default, it retries sixteen times, over hours.
        let client =
            ClusterClient::builder(nodes).retries(3).min_retry_wait(10).max_retry_wait(300);
        Ok(Self::from(client.build()?))
    }

    /// Gets the value of a field of a hash, if there is one.
    pub fn hget(
        &self,
        key: impl Into<Vec<u8>>,
        field: impl ToRedisArgs,
    ) -> OperationFuture<Option<Vec<u8>>> {
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
    ) -> OperationFuture<bool> {
        let key = key.into();
        let mut hset = cmd("HSET");
        hset.arg(&key).arg(field).arg(value);
        self.operations.write(key, Action::Command(hset), read)
    }

    /// Sends a command with one key, `redis.command_of("visits", redis::cmd("INCR").arg("visits"))`. Its
    /// reply is any type that the crate `redis` can convert it to, such as [`Value`](redis::Value).
    ///
    /// It is sent in order with the other operations; in a cluster, with those of the slot of `key`.
    pub fn command_of<T: FromRedisValue>(
        &self,
        key: impl Into<Vec<u8>>,
        command: &Cmd,
    ) -> OperationFuture<T> {
        self.operations.write(key.into(), Action::Command(command.clone()), read)
    }

    /// Sends a command with any number of keys.
    ///
    /// It is sent in order with the other operations; in a cluster, in a request of its own between them.
    /// It must not change the state of the connection (`SUBSCRIBE`, `MULTI`, `CLIENT REPLY`). A command
    /// that blocks (`BLPOP`) delays the operations after it.
    pub fn command<T: FromRedisValue>(&self, command: &Cmd) -> OperationFuture<T> {
        let name = name(command);
        self.operations.write_any(name, Action::Unkeyed(command.clone()), read)
    }
}

/// Uses a configured client. Its connections belong to a thread of this crate.
impl From<Client> for Redis {
    #[track_caller]
    fn from(client: Client) -> Self {
        let server = Arc::new(Server::new(client));
        let run = move |operations: Vec<Operation>| {
            let values = run_io(Arc::clone(&server).send(pipeline(&operations)));
            async move { Ok(replies(&operations, values.await?)) }
        };
        Self { operations: Operations::new("redis", |_| None, run) }
    }
}

/// Uses a configured client of a cluster. Its connections belong to a thread of this crate.
#[cfg(feature = "redis-cluster")]
impl From<ClusterClient> for Redis {
    #[track_caller]
    fn from(client: ClusterClient) -> Self {
        let cluster = Arc::new(Cluster::new(client));
        let run = move |operations: Vec<Operation>| {
            let plan = Plan::new(&operations);
            let answers = run_io(Arc::clone(&cluster).send(plan.requests()));
            async move { Ok(plan.replies(answers.await?)) }
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

fn read<T: FromRedisValue>(reply: Reply) -> Result<T, BoxError> {
    match reply {
        Reply::Redis(value) => Ok(from_redis_value(value)?),
        reply => Err(reply.unexpected("command")),
    }
}

/// Returns the name of a command in errors: its first two words.
fn name(command: &Cmd) -> Vec<u8> {
    let words = command.args_iter().take(2).map(|word| match word {
        Arg::Simple(word) => word,
        _ => b"?",
    });
    words.collect::<Vec<_>>().join(&b' ')
}
