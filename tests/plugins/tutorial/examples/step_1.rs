include!(concat!(env!("OUT_DIR"), "/step_1.rs"));
