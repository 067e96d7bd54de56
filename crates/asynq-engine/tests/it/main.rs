//! The tests of the engine, a module for each behaviour.

mod calls;
mod cancel;
mod claims;
mod context_failure;
mod context_leaving;
mod contexts;
mod deadlock;
mod deadlock_in_calls;
mod depend;
mod events;
mod failure;
mod flight;
mod flush_tasks;
mod joins;
mod leftovers;
mod order;
mod out_of_turn;
mod plain;
mod random;
mod rounds;
mod scale;
mod sim;
mod status;
mod take_rest;
