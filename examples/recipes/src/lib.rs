//! The programs of the pages in `docs/rust/howto`: one module for each page, and one for each database library. The
//! pages quote them, and the tests of this crate run them.
#![forbid(unsafe_code)]

pub mod async_graphql;
pub mod axum;
pub mod diesel;
pub mod http_api;
pub mod music;
pub mod sea_orm;
pub mod sqlx;
pub mod tonic;
