//! Tests of the library through its public items; a module for each subject.
//!
//! All of them are one program, since each program links the library and its dependencies again. The
//! tests share nothing but the process: every test runs in a thread of its own, and so does its scheduler.
#![forbid(unsafe_code)]

mod common;
#[cfg(all(feature = "memcached", feature = "redis"))]
mod key_value;
#[cfg(feature = "tokio-postgres")]
mod schema;

mod async_call;
mod attribute;
mod attribute_arguments;
mod batches;
mod block_on;
mod calls;
mod calls_in_place;
#[cfg(feature = "tokio")]
mod calls_in_tokio;
mod cancel;
mod combinators;
mod context_failure;
mod contexts;
mod contexts_of_requests;
mod deadlock;
mod events;
mod executor_wakers;
mod executors;
#[cfg(feature = "explain")]
mod explain;
#[cfg(feature = "explain")]
mod explain_programs;
mod failure;
mod flights;
mod foreign;
mod freed;
mod generator;
mod generator_contexts;
mod hazard_flush;
mod hazard_loader;
mod hazard_reentrancy;
mod hazard_thread_exit;
mod items;
mod join;
mod loader;
mod loader_bounds;
mod loader_cache;
mod loader_errors;
#[cfg(feature = "blocking")]
mod loader_executor;
#[cfg(feature = "blocking")]
mod loader_faults;
mod loader_flight;
mod loader_function;
mod loader_group;
mod loader_limits;
#[cfg(feature = "tokio")]
mod loader_loans;
mod loader_many;
mod loader_random;
#[cfg(feature = "tokio")]
mod loader_runtimes;
mod loader_scenarios;
mod loader_scope;
mod loader_shared;
mod loader_shared_scenarios;
mod loader_time;
mod loader_timer;
mod loader_waits;
#[cfg(feature = "mock")]
mod mock;
mod non_async;
#[cfg(feature = "tokio")]
mod outcome;
#[cfg(feature = "tokio")]
mod pinned;
mod random;
mod random_contexts;
#[cfg(feature = "tokio")]
mod request;
mod request_joins;
#[cfg(feature = "tokio")]
mod request_waking;
mod rounds;
mod scale;
mod scoped;
mod stack;
mod state;
#[cfg(all(feature = "memcached", feature = "redis"))]
mod stores_cached;
#[cfg(all(feature = "memcached", feature = "redis"))]
mod stores_faults_key_value;
#[cfg(feature = "tokio-postgres")]
mod stores_faults_postgres;
#[cfg(feature = "redis-cluster")]
mod stores_faults_redis_cluster;
#[cfg(feature = "rusqlite")]
mod stores_faults_sqlite;
#[cfg(all(feature = "memcached", feature = "redis"))]
mod stores_key_value;
#[cfg(all(feature = "memcached", feature = "redis"))]
mod stores_key_value_scenarios;
#[cfg(feature = "memcached")]
mod stores_memcached;
#[cfg(feature = "tokio-postgres")]
mod stores_postgres;
#[cfg(feature = "redis")]
mod stores_redis;
#[cfg(feature = "redis-cluster")]
mod stores_redis_cluster;
#[cfg(feature = "rusqlite")]
mod stores_rows;
#[cfg(feature = "tokio")]
mod stores_runtime;
#[cfg(feature = "rusqlite")]
mod stores_sqlite;
mod tasks;
mod tools_caches;
mod tools_deduplicate;
mod tools_elements;
mod tools_event_hook;
mod tools_retry;
mod tools_timer;
#[cfg(feature = "tracing")]
mod tracing;
