//! Tests of the servers, each in a process of its own.
#![forbid(unsafe_code)]

mod axum;
mod graphql;
mod server;
