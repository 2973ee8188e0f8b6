//! A query's shape, as a hostile guest may send it: planned or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| covet_orm::fuzzing::plan_any(bytes));
