//! The tests that docs/tutorial.md and docs/testing.md show, run.

include!(concat!(env!("OUT_DIR"), "/tests.rs"));
