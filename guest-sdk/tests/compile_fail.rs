//! A mistake does not compile, and the message says what to write: each file of `ui/` is one mistake, and its `.stderr`
//! the message. After a change that is meant, `TRYBUILD=overwrite cargo test -p covet --test compile_fail` writes them
//! anew; read what it wrote.

#[test]
fn mistakes_do_not_compile_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
