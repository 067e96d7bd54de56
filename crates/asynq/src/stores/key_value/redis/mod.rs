//! Redis.

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
use super::operation_future::Asked;
use super::operations::Operations;
use super::store::sealed;
use crate::batch::BoxError;
use crate::stores::runtime;

/// A server or a cluster of Redis. Its methods are here and in [`KeyValue`](super::KeyValue).
///
/// A batch is one pipeline, in the order of the program; gets that follow each other are one `MGET`. A
/// command that fails fails alone.
///
/// A handle: clones are the same store. It belongs to one thread, and has one connection, that lives on
/// a thread of the library: so what is asked for may be awaited by any executor, or with none. A batch
/// that fails takes the connection with it, and so does one that is given up, because of the
/// [`timeout`](super::KeyValue::timeout) or, when nobody waits for it any more, when the next one begins.
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

    /// The cluster to which these nodes belong, by their URLs; the others are found out.
    ///
    /// A batch is a pipeline for each slot that it has keys of. They go out at the same time, all to
    /// primaries, and each fails alone. A [`command`](Self::command) waits for those before it, and those
    /// after it wait for it: where it has one key, [`command_of`](Self::command_of) is quicker.
    ///
    /// The client sends a pipeline again, three times at most, when a slot has moved, but also when the
    /// connection is lost before it is answered: then a write may be done twice, and nothing tells. For
    /// other habits there is `From<ClusterClient>`; without retries, no slot is followed.
    ///
    /// # Errors
    ///
    /// If a URL is none of Redis, or names a database other than 0. Nothing connects before the first
    /// batch.
    #[cfg(feature = "redis-cluster")]
    pub fn cluster<U: IntoConnectionInfo>(nodes: impl IntoIterator<Item = U>) -> RedisResult<Self> {
        // By default it asks sixteen times, for hours.
        let client =
            ClusterClient::builder(nodes).retries(3).min_retry_wait(10).max_retry_wait(300);
        Ok(Self::from(client.build()?))
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

    /// A command with one key, `redis.command_of("visits", redis::cmd("INCR").arg("visits"))`, and its
    /// reply as any type that the crate `redis` makes of one, such as [`Value`](redis::Value).
    ///
    /// It goes with the others, in their order. In a cluster, the key says with which.
    pub fn command_of<T: FromRedisValue>(
        &self,
        key: impl Into<Vec<u8>>,
        command: &Cmd,
    ) -> Asked<T> {
        self.operations.write(key.into(), Action::Command(command.clone()), read)
    }

    /// Any command, whatever its keys, and its reply.
    ///
    /// It goes with the others, in their order; in a cluster alone, between them. So it must not be one
    /// that changes the connection (`SUBSCRIBE`, `MULTI`, `CLIENT REPLY`); one that waits (`BLPOP`) keeps
    /// the others waiting.
    pub fn command<T: FromRedisValue>(&self, command: &Cmd) -> Asked<T> {
        let name = name(command);
        self.operations.write_any(name, Action::Unkeyed(command.clone()), read)
    }
}

/// A client of one's own. Its connections are made on the thread of the library.
impl From<Client> for Redis {
    fn from(client: Client) -> Self {
        let server = Arc::new(Server::new(client));
        let run = move |operations: Vec<Operation>| {
            let values = runtime::run(Arc::clone(&server).send(pipeline(&operations)));
            async move { Ok(replies(&operations, values.await?)) }
        };
        Self { operations: Operations::new("redis", |_| None, run) }
    }
}

/// A client of a cluster of one's own. Its connections are made on the thread of the library.
#[cfg(feature = "redis-cluster")]
impl From<ClusterClient> for Redis {
    fn from(client: ClusterClient) -> Self {
        let cluster = Arc::new(Cluster::new(client));
        let run = move |operations: Vec<Operation>| {
            let plan = Plan::new(&operations);
            let answers = runtime::run(Arc::clone(&cluster).send(plan.requests()));
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
