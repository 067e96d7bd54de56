//! The tests of the loader, one behaviour each, and the scenarios that its faces run, too.

mod scenario;
mod sim;

mod scenarios;
