//! Parameters of a call, as a hostile guest may send them: bound or refused, never a panic, no allocation without bound.
#![no_main]

use std::sync::LazyLock;

static PLANS: LazyLock<covet_orm::Plans> = LazyLock::new(covet_orm::fuzzing::plans);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| covet_orm::fuzzing::bind_any(&PLANS, bytes));
