//! Any calls of the engine in any order that its documentation allows, with ids that may have ended
//! long ago.
//!
//! After each of them the engine has to agree, in all that it shows, with a shadow of it that only
//! knows who asked for what and what is there. In the end everything is taken back, and nothing may
//! be left.
//!
//! Shared by the property test and the fuzz target.

mod apply;
mod check;
mod need;
mod operation;
mod step;
mod waiting;
mod world;

pub(crate) use operation::Operation;

use asynq_engine::Event;
use world::World;

/// Applies `operations` to a new engine, and tells what happened.
///
/// # Panics
///
/// If the engine does what it must not do.
pub(crate) fn run(operations: impl IntoIterator<Item = Operation>) -> Vec<Event> {
    let mut world = World::new();
    for operation in operations {
        world.apply(operation);
        world.follow_needs();
        world.check();
    }
    world.take_back();
    world.check_that_nothing_is_left();
    world.check_that_it_still_works();
    world.events()
}
