//! Any calls of the engine in any order, two bytes for each.
#![no_main]

#[path = "../../tests/it/random/operations/mod.rs"]
mod operations;

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use operations::Operation;

impl Arbitrary<'_> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'_>) -> Result<Self> {
        <[u8; 2]>::arbitrary(bytes).map(Self::from)
    }
}

fuzz_target!(|operations: Vec<Operation>| {
    operations::run(operations);
});
