//! Items that the tests of all key-value stores share.
#![cfg(target_os = "linux")]

use std::ops::DerefMut;

use asynq::stores::{KeyValue, Memcached, Redis};
use local_servers::Server;
use local_servers::installed;
use local_servers::memcached::MemcachedServer;
use local_servers::redis::RedisServer;

/// A server of one kind, of which there is a store.
pub(crate) trait Kind: DerefMut<Target = Server> + Send + Sync + 'static {
    type Store: KeyValue + Clone + 'static;
    /// Name of the store in errors.
    const NAME: &str;

    /// Starts one, if it is installed.
    fn start() -> Option<Self>
    where
        Self: Sized;

    fn store(&self) -> Self::Store;
}

impl Kind for RedisServer {
    type Store = Redis;
    const NAME: &str = "redis";

    fn start() -> Option<Self> {
        installed(RedisServer::start())
    }

    fn store(&self) -> Redis {
        Redis::open(self.url()).unwrap()
    }
}

impl Kind for MemcachedServer {
    type Store = Memcached;
    const NAME: &str = "memcached";

    fn start() -> Option<Self> {
        installed(MemcachedServer::start())
    }

    fn store(&self) -> Memcached {
        Memcached::open([self.address()])
    }
}

/// A test for each kind of server, of each function, which gets one that is empty.
macro_rules! for_each_kind {
    ($($test:ident)*) => {
        mod redis {
            $(#[test]
            fn $test() {
                let server: Option<local_servers::redis::RedisServer> = crate::key_value::Kind::start();
                if let Some(server) = server {
                    super::$test(server);
                }
            })*
        }

        mod memcached {
            $(#[test]
            fn $test() {
                let server: Option<local_servers::memcached::MemcachedServer> =
                    crate::key_value::Kind::start();
                if let Some(server) = server {
                    super::$test(server);
                }
            })*
        }
    };
}
pub(crate) use for_each_kind;
