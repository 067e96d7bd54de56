//! Tests of the examples in the pages of the documentation. A crate of their own holds them, so that the package
//! `asynq-batch` refers to no file outside of it.
#![forbid(unsafe_code)]

/// Tests of the examples in the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust/index.md")]
#[doc = include_str!("../../../docs/rust/guide.md")]
#[doc = include_str!("../../../docs/rust/from-dataloader.md")]
struct Guide;

/// Mistakes that must not compile, from the page about mistakes.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/invalid.md"))]
struct Invalid;

/// Tests of the examples in the pages about stores.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/stores/sqlite.md")]
#[doc = include_str!("../../../docs/stores/postgresql.md")]
#[doc = include_str!("../../../docs/stores/redis.md")]
#[doc = include_str!("../../../docs/stores/memcached.md")]
#[doc = include_str!("../../../docs/stores/cache.md")]
struct Stores;

/// Tests of the examples in the README of the repository and in that of the package.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../asynq/README.md")]
struct Readme;
