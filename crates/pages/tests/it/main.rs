//! The pages in docs/rust whose examples build on each other, and the texts of common mistakes. `build.rs` makes
//! the tests of the pages.
#![forbid(unsafe_code)]

mod mistakes;

#[allow(clippy::all, clippy::pedantic, unused, reason = "as somebody writes it on a page")]
mod pages {
    use crate::in_checkout;

    include!(concat!(env!("OUT_DIR"), "/tests.rs"));
}

/// Enters the root of the checkout, which has the database of the examples.
fn in_checkout() {
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap();
}
