include!(concat!(env!("OUT_DIR"), "/step_4.rs"));
