//! Tests of the recipes, against SQLite in memory and servers on this machine.

mod async_graphql;
mod axum;
mod database;
mod diesel;
mod http_api;
mod page_text;
mod sea_orm;
mod sqlx;
mod tonic;
