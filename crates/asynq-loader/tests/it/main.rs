//! The tests of the loader, one behaviour each, and the scenarios that its faces run, too.

mod common;
mod scenario;
mod sim;

mod answers;
mod bounds;
mod busy;
mod cost;
mod crowds;
mod deadlines;
mod keys;
mod permits;
mod random;
mod scenarios;
mod servers;
