//! What the compiler says about misuse, word for word.

#[test]
fn misuse_is_a_compile_error_that_says_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
