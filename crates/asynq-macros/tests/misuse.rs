//! Error messages of the attribute, word for word. Text that the compiler adds differs from version to
//! version, so cases with such text are examples of the documentation that must not compile.

#[test]
fn misuse_is_a_compile_error_that_says_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
