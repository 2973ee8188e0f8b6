//! The plugin that docs/tutorial.md ends with.

include!(concat!(env!("OUT_DIR"), "/step_6.rs"));
