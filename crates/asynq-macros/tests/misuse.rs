//! What the attribute says about misuse, word for word. What the compiler adds by itself differs from
//! version to version, so cases that it has a part in are examples of the documentation that must not
//! compile.

#[test]
fn misuse_is_a_compile_error_that_says_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
