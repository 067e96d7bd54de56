//! A simulated driver: runs a [`Program`] on the engine and tells what happened, in the names of
//! the program.

mod driver;
mod events;
mod program;
mod record;
mod script;
mod source;

pub(crate) use driver::{Driver, Sim};
pub(crate) use program::*;
pub(crate) use record::{Ran, Record};

impl Program {
    /// Calls `root` and tells what happened.
    pub(crate) fn run(&self, root: TaskRef) -> Record {
        let mut driver = Driver::new(self.clone());
        driver.call(root);
        driver.into_record()
    }

    /// Calls `root` and tells what happened, a line for each thing.
    pub(crate) fn log(&self, root: TaskRef) -> String {
        self.run(root).log()
    }
}
