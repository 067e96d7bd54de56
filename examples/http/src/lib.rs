//! HTTP servers on tokio that batch; see the programs in `src/bin`.
//!
//! The library holds the tests of the examples in the guide to servers, which need the crates of the
//! servers.
#![forbid(unsafe_code)]

/// Tests of the examples in the guide to servers.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust/servers.md")]
struct Servers;
