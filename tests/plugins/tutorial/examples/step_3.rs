include!(concat!(env!("OUT_DIR"), "/step_3.rs"));
