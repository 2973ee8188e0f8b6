use covet::prelude::*;

covet::plugin! { route: [] }

fn main() {}
