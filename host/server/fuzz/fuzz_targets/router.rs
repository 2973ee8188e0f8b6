//! Patterns and paths of any form: a table or a refusal, a match or none, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| covet_server::router::fuzzing::match_any(bytes));
