include!(concat!(env!("OUT_DIR"), "/step_5.rs"));
