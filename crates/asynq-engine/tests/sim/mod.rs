//! A simulated driver: runs a [`Program`] on the engine and tells what happened, in the names of
//! the program.
//!
//! Each test crate uses a part of it.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "compiled into every test crate, none of which uses all of it"
)]

mod driver;
mod events;
mod program;
mod record;
mod script;
mod source;

pub use driver::{Driver, Sim};
pub use program::*;
pub use record::{Ran, Record};

impl Program {
    /// Calls `root` and tells what happened.
    pub fn run(&self, root: TaskRef) -> Record {
        let mut driver = Driver::new(self.clone());
        driver.call(root);
        driver.into_record()
    }

    /// Calls `root` and tells what happened, a line for each thing.
    pub fn log(&self, root: TaskRef) -> String {
        self.run(root).log()
    }
}
